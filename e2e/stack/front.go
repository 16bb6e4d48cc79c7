package stack

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Front is a TCP forwarder before trunkline's public listener. It stands where
// the network between a browser and the server stands, so that tests can cut
// it. Any goroutine may call its methods.
type Front struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	down  bool
	mute  bool
	conns map[net.Conn]struct{}
}

// newFront listens on addr and forwards each connection to target.
func newFront(addr, target string) (*Front, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	f := &Front{target: target, listener: l, conns: map[net.Conn]struct{}{}}
	f.wg.Go(f.accept)
	return f, nil
}

// Cut closes every connection that runs through the front, both sides, without
// a goodbye. New connections are served again at once.
func (f *Front) Cut() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.conns) / 2
	for c := range f.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
	return n
}

// Mute lets everything vanish that either side sends from now on, as on a line
// that is dead before anybody has noticed. Going down ends it.
func (f *Front) Mute() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mute = true
}

// SetDown makes the front refuse (down) or serve new connections; going down
// also cuts the ones that are there.
func (f *Front) SetDown(down bool) {
	f.mu.Lock()
	f.down = down
	f.mu.Unlock()
	if !down {
		return
	}
	f.Cut()
	f.mu.Lock()
	f.mute = false // no connection is left that has missed something
	f.mu.Unlock()
}

// Close stops listening, cuts everything and waits for the forwarders.
func (f *Front) Close() {
	f.listener.Close()
	f.SetDown(true)
	f.wg.Wait()
}

func (f *Front) accept() {
	for {
		c, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		f.wg.Go(func() { f.forward(c) })
	}
}

func (f *Front) forward(down net.Conn) {
	defer down.Close()
	up, err := net.Dial("tcp", f.target)
	if err != nil {
		return
	}
	defer up.Close()
	if !f.track(down, up) {
		return
	}
	defer f.untrack(down, up)
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{down, up}, {up, down}} {
		f.wg.Go(func() {
			_, _ = io.Copy(line{f, pair[0]}, pair[1])
			down.Close()
			up.Close()
			done <- struct{}{}
		})
	}
	<-done
	<-done
}

// line is one direction of a connection.
type line struct {
	front *Front
	to    net.Conn
}

// Write passes p on, or lets it vanish.
func (l line) Write(p []byte) (int, error) {
	l.front.mu.Lock()
	mute := l.front.mute
	l.front.mu.Unlock()
	if mute {
		return len(p), nil
	}
	return l.to.Write(p)
}

func (f *Front) track(conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return false
	}
	for _, c := range conns {
		f.conns[c] = struct{}{}
	}
	return true
}

func (f *Front) untrack(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range conns {
		delete(f.conns, c)
	}
}
