package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sleeping is a connection that rests, and what its reader read after that.
type sleeping struct {
	r    resting
	sock *socket
	far  net.Conn
	read chan string
}

func newSleeping(t *testing.T) *sleeping {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	s := &sleeping{sock: newSocket(near), read: make(chan string, 100)}
	s.far, err = l.Accept()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.r.run(ctx) })
	require.Eventually(t, func() bool { s.r.mu.Lock(); defer s.r.mu.Unlock(); return s.r.open }, 10*time.Second, time.Millisecond)
	t.Cleanup(func() { _ = near.Close(); _ = s.far.Close(); cancel(); wg.Wait() })
	return s
}

// plainBytes hands on what it is filled with.
type plainBytes struct{ got []byte }

func (p *plainBytes) Fill(src io.Reader) (int, error) {
	p.got = make([]byte, 100)
	n, err := src.Read(p.got)
	p.got = p.got[:n]
	return n, err
}

func (p *plainBytes) Release() { p.got = nil }

// reader reads until nothing comes, and rests.
func (s *sleeping) reader() {
	for {
		var b plainBytes
		_, err := s.sock.fill(&b)
		switch {
		case errors.Is(err, errRest):
			if s.sock.rest(&s.r, func() { s.read <- "woken"; go s.reader() }) {
				return
			}
			s.read <- "refused"
			return
		case err != nil:
			s.read <- err.Error()
			return
		}
		s.read <- string(b.got)
	}
}

func (s *sleeping) untilAsleep(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.sock.tire()
		s.sock.mu.Lock()
		defer s.sock.mu.Unlock()
		return s.sock.reader == asleep
	}, 10*time.Second, time.Millisecond)
}

func TestWhoeverRestsIsWokenByBytes(t *testing.T) {
	s := newSleeping(t)
	go s.reader()
	for _, say := range []string{"one", "two", "three"} {
		// Bytes since the last look keep the reader where it is.
		s.untilAsleep(t)
		s.sock.tire() // nobody is there to be tired
		_, err := io.WriteString(s.far, say)
		require.NoError(t, err)
		require.Equal(t, "woken", <-s.read)
		require.Equal(t, say, <-s.read)
		_, err = io.WriteString(s.far, "more")
		require.NoError(t, err)
		require.Equal(t, "more", <-s.read, "once awake it stays")
	}
	s.untilAsleep(t)
	require.NoError(t, s.far.Close())
	require.Equal(t, "woken", <-s.read, "the end is something to read")
	require.Equal(t, "EOF", <-s.read)
}

func TestRestEndsByWakeOnce(t *testing.T) {
	s := newSleeping(t)
	go s.reader()
	s.untilAsleep(t)
	s.sock.wake(&s.r)
	s.sock.wake(&s.r)
	require.Equal(t, "woken", <-s.read)
	_, err := io.WriteString(s.far, "x")
	require.NoError(t, err)
	require.Equal(t, "x", <-s.read)
	require.NoError(t, s.far.Close())
	require.Equal(t, "EOF", <-s.read)
}

// TestNobodyRestsAfterTheEnd: those who do are woken, later ones are refused.
func TestNobodyRestsAfterTheEnd(t *testing.T) {
	s := newSleeping(t)
	go s.reader()
	s.untilAsleep(t)
	s.r.close()
	require.Equal(t, "woken", <-s.read)
	require.Eventually(t, func() bool {
		s.sock.tire()
		select {
		case got := <-s.read:
			return got == "refused"
		default:
			return false
		}
	}, 10*time.Second, time.Millisecond)
}

// TestWhoWaitsHoldsNoBuffer looks at the two ways to errRest.
func TestWhoWaitsHoldsNoBuffer(t *testing.T) {
	s := newSleeping(t)
	b := newBrowser(s.sock, nil)
	b.begin()
	b.begin()                                             // as if it had rested
	_, err := s.far.Write([]byte{0x8a, 0x80, 1, 2, 3, 4}) // a pong
	require.NoError(t, err)
	_, err = b.read(func() int { return 100 }, func() {})
	require.ErrorIs(t, err, errRest, "nothing but a pong came")
	require.True(t, b.in.IsIdle())

	b.roused = false
	_, err = s.far.Write([]byte{0x8a, 0x80, 1, 2, 3, 4})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { _, err := b.read(func() int { return 100 }, s.sock.tire); done <- err }()
	require.Eventually(t, func() bool {
		s.sock.tire()
		select {
		case err := <-done:
			return errors.Is(err, errRest)
		default:
			return false
		}
	}, 10*time.Second, time.Millisecond)
	require.Nil(t, b.queue.waiting)
	require.True(t, b.in.IsIdle())
}

// TestTiredReadersRest whenever tire comes: before a reader waits, while it does,
// when bytes come at the same time, and where it was about to rest anyway.
func TestTiredReadersRest(t *testing.T) {
	s := newSleeping(t)
	ctx, cancel := context.WithCancel(t.Context())
	say := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for ctx.Err() == nil {
			s.sock.tire()
			runtime.Gosched()
		}
	})
	wg.Go(func() {
		for range say {
			_, _ = io.WriteString(s.far, "x")
		}
	})
	defer close(say)
	for rests := 0; rests < 2000; {
		var b plainBytes
		_, err := s.sock.fill(&b)
		if err == nil {
			continue
		}
		require.ErrorIs(t, err, errRest, "after %d rests", rests)
		awake := make(chan struct{})
		require.True(t, s.sock.rest(&s.r, func() { close(awake) }))
		say <- struct{}{}
		<-awake
		rests++
	}
}
