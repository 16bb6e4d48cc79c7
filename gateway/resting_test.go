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
	if runtime.GOOS != "linux" {
		require.False(t, (&resting{}).rest(1, 0, nil))
		return nil
	}
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

func TestWhoeverRestsIsWokenByBytes(t *testing.T) {
	s := newSleeping(t)
	if s == nil {
		return
	}
	go s.reader()
	for _, say := range []string{"one", "two", "three"} {
		// Bytes since the last look keep the reader where it is.
		require.Eventually(t, func() bool { s.sock.tire(); return s.sock.asleep.Load() }, 10*time.Second, time.Millisecond)
		s.sock.tire() // nobody is there to be tired
		_, err := io.WriteString(s.far, say)
		require.NoError(t, err)
		require.Equal(t, "woken", <-s.read)
		require.Equal(t, say, <-s.read)
		_, err = io.WriteString(s.far, "more")
		require.NoError(t, err)
		require.Equal(t, "more", <-s.read, "once awake it stays")
	}
	require.Eventually(t, func() bool { s.sock.tire(); return s.sock.asleep.Load() }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.far.Close())
	require.Equal(t, "woken", <-s.read, "the end is something to read")
	require.Equal(t, "EOF", <-s.read)
}

func TestRestEndsByWakeOnce(t *testing.T) {
	s := newSleeping(t)
	if s == nil {
		return
	}
	go s.reader()
	require.Eventually(t, func() bool { s.sock.tire(); return s.sock.asleep.Load() }, 10*time.Second, time.Millisecond)
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
	if s == nil {
		return
	}
	go s.reader()
	require.Eventually(t, func() bool { s.sock.tire(); return s.sock.asleep.Load() }, 10*time.Second, time.Millisecond)
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
	if s == nil {
		return
	}
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
	require.Eventually(t, func() bool { return s.sock.stirred.Load() }, 10*time.Second, time.Millisecond)
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

// TestHalfOpenPeersAreFoundInAMinute holds for the defaults: a look just before
// the silence is long enough is followed by another a turn later.
func TestHalfOpenPeersAreFoundInAMinute(t *testing.T) {
	l := Limits{}.complete()
	require.LessOrEqual(t, l.DeadAfter+l.turn(), time.Minute)
	require.Greater(t, l.DeadAfter, 2*(l.PingEvery+l.turn()), "more than one ping may be lost")
}

// TestPulseLooksAtEachStreamOnceATurn also after others have left.
func TestPulseLooksAtEachStreamOnceATurn(t *testing.T) {
	p := &pulse{}
	streams := make([]*stream, 3*pulseSlots+5)
	for i := range streams {
		streams[i] = &stream{}
		p.add(streams[i])
	}
	for i := 0; i < len(streams); i += 2 {
		p.remove(streams[i])
	}
	seen := map[*stream]int{}
	for slot := range pulseSlots {
		for _, s := range p.of(slot, nil) {
			seen[s]++
		}
	}
	for i, s := range streams {
		require.Equal(t, i%2, seen[s], i)
	}
}
