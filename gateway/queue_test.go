package gateway

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// piped is a queue over a pipe that nobody reads yet.
func piped(t *testing.T, limit int) (q *queue, reader net.Conn, failed chan error) {
	t.Helper()
	near, far := net.Pipe()
	failed = make(chan error, 1)
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = near.Close(); _ = far.Close(); wg.Wait() })
	return &queue{
		sock: newSocket(near), limit: limit, stall: time.Second,
		start: func(f func()) bool { wg.Go(f); return true }, failed: func(err error) { failed <- err },
	}, far, failed
}

func TestQueueIsBoundedAndWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, reader, _ := piped(t, 10)
		require.True(t, q.room(t.Context(), 6))
		require.True(t, q.add([]byte("sixfit")))
		room := make(chan bool, 1)
		go func() { room <- q.room(t.Context(), 6) }()
		synctest.Wait()
		require.Empty(t, room, "on its way is not yet written")
		_, err := io.ReadFull(reader, make([]byte, 6))
		require.NoError(t, err)
		require.True(t, <-room)

		require.True(t, q.add([]byte("sixfit")))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { room <- q.room(ctx, 6) }()
		synctest.Wait()
		cancel()
		require.False(t, <-room)

		q.finish([]byte("the last"))
		require.False(t, q.add([]byte("x")))
		require.False(t, q.room(t.Context(), 1))
		require.NoError(t, q.flush())
		b := make([]byte, 14)
		_, err = io.ReadFull(reader, b)
		require.NoError(t, err)
		require.Equal(t, "sixfitthe last", string(b))
		require.True(t, q.settled(time.Second))
		require.Nil(t, q.waiting, "an empty queue holds no memory")
	})
}

func TestFrameLargerThanTheQueuePassesAlone(t *testing.T) {
	q, _, _ := piped(t, 10)
	require.True(t, q.room(t.Context(), 100))
}

func TestQueueGivesUpOnWhoTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _, failed := piped(t, 10)
		q.add([]byte("x"))
		began := time.Now()
		require.NoError(t, q.flush())
		require.ErrorIs(t, <-failed, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		require.False(t, q.add([]byte("x")))
		require.ErrorIs(t, q.flush(), os.ErrDeadlineExceeded)
		require.False(t, q.settled(time.Second))
	})
}

func TestAbandonedQueueLetsNobodyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _, _ := piped(t, 10)
		q.add([]byte("0123456789"))
		room := make(chan bool, 1)
		go func() { room <- q.room(t.Context(), 6) }()
		synctest.Wait()
		q.abandon()
		require.False(t, <-room)
	})
}

// counting is a connection that counts its writes.
type counting struct {
	net.Conn
	writes, bytes int
}

func (c *counting) Write(p []byte) (int, error)      { c.writes++; c.bytes += len(p); return len(p), nil }
func (c *counting) SetWriteDeadline(time.Time) error { return nil }

func TestWhatWaitsLeavesInOneWrite(t *testing.T) {
	under := &counting{}
	q := &queue{sock: newSocket(under), limit: 1 << 20, stall: time.Second, start: func(f func()) bool { f(); return true }}
	for range 50 {
		q.add([]byte("<presence"), []byte("/>"))
	}
	require.NoError(t, q.flush())
	require.NoError(t, q.flush())
	require.Equal(t, 1, under.writes)
	require.Equal(t, 50*len("<presence/>"), under.bytes)
}

// TestSocketTakesWhatItCanAndTheRestLater fills the buffers of a real
// connection, which then takes only a part of a write at once.
func TestSocketTakesWhatItCanAndTheRestLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer near.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()

	var wg sync.WaitGroup
	defer wg.Wait()
	goroutines := 0
	tune(near)
	q := &queue{sock: newSocket(near), limit: 1 << 30, stall: 10 * time.Second, failed: func(err error) { t.Error(err) },
		start: func(f func()) bool { goroutines++; wg.Go(f); return true }}
	q.add([]byte("small"))
	require.NoError(t, q.flush())
	require.Zero(t, goroutines, "what the connection takes needs no goroutine")
	require.True(t, q.isEmpty())

	const size = 16 << 20
	big := make([]byte, size)
	for i := range big {
		big[i] = byte(i / 1021)
	}
	q.add(big)
	require.NoError(t, q.flush())
	q.add([]byte("more"))
	require.NoError(t, q.flush(), "somebody writes already")
	require.Equal(t, 1, goroutines)
	got := make([]byte, len("small")+size+len("more"))
	_, err = io.ReadFull(far, got)
	require.NoError(t, err)
	require.Equal(t, "small", string(got[:5]))
	require.True(t, string(got[5:5+size]) == string(big))
	require.Equal(t, "more", string(got[5+size:]))
	require.True(t, q.settled(10*time.Second))
}
