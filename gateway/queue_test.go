package gateway

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQueueIsBoundedAndWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		require.True(t, q.put(t.Context(), make([]byte, 6)))
		put := make(chan bool, 1)
		go func() { put <- q.put(t.Context(), make([]byte, 6)) }()
		synctest.Wait()
		require.Empty(t, put, "no room yet")
		<-q.ready
		frames, open := q.take(100)
		require.Len(t, frames, 1)
		require.True(t, open)
		synctest.Wait()
		require.Empty(t, put, "taken is not yet written")
		q.written(frames)
		require.True(t, <-put)

		ctx, cancel := context.WithCancel(t.Context())
		go func() { put <- q.put(ctx, make([]byte, 6)) }()
		synctest.Wait()
		cancel()
		require.False(t, <-put)

		q.finish([]byte("the last"))
		require.False(t, q.put(t.Context(), []byte("x")))
		frames, open = q.take(100)
		require.Len(t, frames, 2)
		require.False(t, open)
	})
}

func TestFrameLargerThanTheQueuePassesAlone(t *testing.T) {
	q := newQueue(10)
	require.True(t, q.put(t.Context(), make([]byte, 100)))
	frames, _ := q.take(1)
	require.Len(t, frames, 1, "one frame is always taken")
}

// counting is a connection that counts its writes.
type counting struct {
	net.Conn
	writes int
	bytes  bytes.Buffer
}

func (c *counting) Write(p []byte) (int, error)      { c.writes++; return c.bytes.Write(p) }
func (c *counting) SetWriteDeadline(time.Time) error { return nil }

func TestFramesThatWaitLeaveInOneWrite(t *testing.T) {
	under := &counting{}
	c := &browserConn{Conn: under, stall: time.Second}
	w := bufio.NewWriter(c)
	c.cork()
	for range 50 {
		_, err := w.WriteString("frame")
		require.NoError(t, err)
		require.NoError(t, w.Flush())
	}
	require.Zero(t, under.writes)
	require.NoError(t, c.uncork())
	require.Equal(t, 1, under.writes)
	require.Equal(t, 250, under.bytes.Len())
	require.NoError(t, c.uncork())
	require.Equal(t, 1, under.writes, "nothing to say")
}

func TestServerGetsWhatWaitsInOneWrite(t *testing.T) {
	under := &counting{}
	s := newServer(under, time.Second)
	for range 50 {
		s.queue([]byte("<presence/>"))
	}
	require.NoError(t, s.flush())
	require.NoError(t, s.flush())
	require.Equal(t, 1, under.writes)
	require.Equal(t, 50*len("<presence/>"), under.bytes.Len())
}
