package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// startTimeout is how long a server may take until it answers.
	startTimeout = time.Minute
	// stopTimeout is how long a server may take to stop before it is killed.
	stopTimeout = 30 * time.Second
	// startTries is how often other ports are tried when one was taken meanwhile.
	startTries = 3
)

// Prosody is a server of our own. Its methods may be called by any goroutine,
// one at a time.
type Prosody struct {
	dir     string
	cfg     ProsodyConfig
	c2sPort int
	wsPort  int

	process
}

// Launch starts a server whose configuration, data and log are in dir, which
// must exist; data of an earlier server there is kept. It returns when the
// server answers. Call Stop or Kill in the end.
func Launch(ctx context.Context, dir string, cfg ProsodyConfig) (*Prosody, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	p := &Prosody{dir: dir, cfg: cfg}
	for range startTries {
		if err = p.choosePorts(); err != nil {
			return nil, err
		}
		if err = cfg.write(dir, p.c2sPort, p.wsPort); err != nil {
			return nil, err
		}
		if err = p.Start(ctx); err == nil {
			return p, nil
		}
		if cfg.C2SPort != 0 || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func (p *Prosody) choosePorts() (err error) {
	p.c2sPort = p.cfg.C2SPort
	if p.c2sPort == 0 {
		if p.c2sPort, err = FreePort(); err != nil {
			return err
		}
	}
	if p.cfg.WebSocket || p.cfg.Whole != nil {
		p.wsPort, err = FreePort()
	}
	return err
}

// Start runs the server again after Kill or Stop, on the same ports and data,
// and returns when it answers.
func (p *Prosody) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil {
		return errors.New("integration: prosody is already running")
	}
	program, err := exec.LookPath("prosody")
	if err != nil {
		return fmt.Errorf("integration: prosody is not installed (apt install prosody prosody-modules): %w", err)
	}
	// Only what this life logs can say that a port was taken.
	before := len(p.Log())
	output, err := os.OpenFile(filepath.Join(p.dir, "output.log"), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	defer output.Close() // the child has its own
	r, err := spawn(output, program, "-F", "--config", filepath.Join(p.dir, "prosody.cfg.lua"))
	if err != nil {
		return err
	}
	p.run = r
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := p.awaitReady(ctx, r, before); err != nil {
		p.kill()
		printed, _ := os.ReadFile(output.Name()) // as much as there is
		return fmt.Errorf("integration: prosody did not start: %w\n%s\n%s", err, tail(string(printed), 20), tail(p.Log(), 30))
	}
	return nil
}

// awaitReady returns when the server greets an XMPP client on our port.
func (p *Prosody) awaitReady(ctx context.Context, r *run, logOffset int) error {
	return r.await(ctx, func(ctx context.Context) error { return greets(ctx, p.Addr(), p.cfg.Domain) }, func() error {
		if log := p.Log(); len(log) > logOffset && strings.Contains(log[logOffset:], "Failed to open server port") {
			return errors.New("a port was taken")
		}
		return nil
	})
}

// greets says whether the server answers a stream header for its domain; that
// nobody can log in, for want of authentication, is not asked.
func greets(ctx context.Context, addr, domain string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, streamHeader(domain)); err != nil {
		return err
	}
	answer := make([]byte, 0, 4096)
	for !bytes.Contains(answer, []byte("<stream:stream")) {
		n, err := conn.Read(answer[len(answer):cap(answer)])
		if err != nil {
			return err
		}
		answer = answer[:len(answer)+n]
	}
	return nil
}

// Domain is the XMPP domain.
func (p *Prosody) Domain() string { return p.cfg.Domain }

// Addr is where clients connect over TCP, "127.0.0.1:port".
func (p *Prosody) Addr() string { return fmt.Sprintf("127.0.0.1:%d", p.c2sPort) }

// TLSAddr is where clients connect with TLS from the first byte, for a
// configuration that is written whole.
func (p *Prosody) TLSAddr() string { return fmt.Sprintf("127.0.0.1:%d", p.wsPort) }

// WebSocketURL is Prosody's own RFC 7395 endpoint; empty unless configured.
func (p *Prosody) WebSocketURL() string {
	if !p.cfg.WebSocket {
		return ""
	}
	return fmt.Sprintf("ws://127.0.0.1:%d/xmpp-websocket", p.wsPort)
}

// Log is everything that the server has logged, over all its lives.
func (p *Prosody) Log() string {
	b, err := os.ReadFile(filepath.Join(p.dir, "prosody.log"))
	if err != nil {
		return ""
	}
	return string(b)
}

// tail is the last n lines of s.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
