package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	// acceptPause is how long is waited after a failed accept, so that a process
	// without file descriptors does not spin.
	acceptPause = 50 * time.Millisecond
)

// Serve answers the clients of a listener until ctx ends or the listener does,
// and returns when its connections have ended too. With implicitTLS it speaks
// LDAPS. It closes the listener. Several may run at once; their connections are
// counted together. The error is nil when ctx has ended.
func (s *Server) Serve(ctx context.Context, listener net.Listener, implicitTLS bool) error {
	defer listener.Close()
	if implicitTLS && s.tls == nil {
		return errors.New("ldap: LDAPS needs a certificate")
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // before the wait: it closes the connections
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	for {
		netConn, err := listener.Accept()
		if err == nil {
			c := s.admit(netConn)
			if c == nil {
				continue
			}
			running.Go(func() { s.run(ctx, c, implicitTLS) })
			continue
		}
		var temporary interface{ Temporary() bool }
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.As(err, &temporary) || !temporary.Temporary():
			return fmt.Errorf("ldap: %w", err)
		}
		s.log.WarnContext(ctx, "ldap: a connection could not be accepted", "error", err)
		pause := time.NewTimer(acceptPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// admit makes room for a connection. When there is none, the oldest that was
// never bound as the service account is closed; if all are the service
// account's, the new one is, and the result nil.
func (s *Server) admit(netConn net.Conn) *conn {
	c := &conn{server: s, net: netConn, stream: netConn}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= maxConns {
		i := slices.IndexFunc(s.conns, func(o *conn) bool { return !o.trusted.Load() })
		s.log.Warn("ldap: too many connections", "open", len(s.conns), "closed", i >= 0)
		if i < 0 {
			_ = netConn.Close()
			return nil
		}
		_ = s.conns[i].net.Close() // its goroutine ends by that
		s.conns = slices.Delete(s.conns, i, i+1)
	}
	s.conns = append(s.conns, c)
	return c
}

// forget takes a connection off the list, if it still is on it.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, func(o *conn) bool { return o == c })
}

// run is the life of one connection.
func (s *Server) run(ctx context.Context, c *conn, implicitTLS bool) {
	defer s.forget(c)
	defer c.net.Close()
	defer context.AfterFunc(ctx, func() { _ = c.net.Close() })()
	defer func() {
		if r := recover(); r != nil {
			s.panics.Add(1)
			s.log.ErrorContext(ctx, "ldap: a connection ended in a panic", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	if implicitTLS {
		if err := c.secure(ctx); err != nil {
			s.log.DebugContext(ctx, "ldap: TLS failed", "from", c.from(), "error", err)
			return
		}
	}
	if err := c.serve(ctx); err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "ldap: a connection ended", "from", c.from(), "error", err)
	}
}

// secure does the TLS handshake as the server.
func (c *conn) secure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, messageTime)
	defer cancel()
	stream := tls.Server(c.net, c.server.tls)
	if err := stream.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("ldap: %w", err)
	}
	c.stream, c.encrypted = stream, true
	return nil
}
