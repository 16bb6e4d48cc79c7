package gateway

import (
	"context"
	"encoding/base32"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// phase is how far a stream has come.
type phase int

const (
	phaseNew     phase = iota // nothing yet: <open/> is expected
	phaseOpened               // the server's stream is open, nobody is logged in
	phaseAuth                 // a login is with the server
	phaseSuccess              // logged in: a second <open/> is expected
	phaseReady                // logged in and open: the policy decides
)

// stream is one browser's way to the XMPP server. doc.go says which goroutine
// does what.
type stream struct {
	g        *Gateway
	id       string
	limitKey string
	client   netip.AddrPort // the browser's, as far as it is known
	aware    bool
	traces   bool // the log takes LevelTrace

	bound       binding   // guarded by the registry's lock
	slot, place int       // guarded by the pulse's lock
	pinged      time.Time // look's alone

	browser *browser
	ctx     context.Context // ends when the stream is over

	life    sync.Mutex
	begun   bool           // run has been called
	left    bool           // no more goroutines
	ending  *ending        // nil until finish is called
	wg      sync.WaitGroup // its goroutines, but for the one of leave
	over    latch          // the stream is to end
	bye     latch          // the browser's <close/> came after that
	doomed  atomic.Bool    // the session must not outlive the stream
	settled latch          // the server's side has ended, the state is saved or deleted
	done    latch          // nothing of the stream is left

	keeping keeping

	server  atomic.Pointer[server] // nil until the first <open/>
	dialled atomic.Int64           // 0: the server has not been reached for; else 1 and the faults that had been found of it
	greeted atomic.Bool            // it has sent its first features
	// turnOver lets the next stream dial; it is set before readServer starts.
	turnOver func()

	// The browser's reader alone.
	parser   *framing.Parser
	unauthed int // bytes of frames before the login
	raw      int // bytes of the connection before the login
	asked    bool
	meter    meter
	passing  int // bytes read of a stanza that is too big and passed over, 0 if there is none

	// mu is held while a verdict is asked for and carried out, so that the
	// order of verdicts is the order on the wire.
	mu       sync.Mutex
	phase    phase
	who      binding
	tries    int
	loginOK  bool
	opened   bool // the browser has had an <open/>
	gone     bool // nothing more may go to the server
	policy   *policy.Stream
	fresh    *policy.Stream // the fresh policy while a resumption is with the server
	username string
	asking   string          // the account whose login is with the server, "" if none is
	consent  *policy.Consent // set before there is a policy
	held     chan struct{}   // closed when the browser's frames may go on; nil: they may
	sm       management
	clock    stopwatch
	loginBy  *time.Timer // nil after the login
	grace    *time.Timer // for going hidden
	patience *time.Timer // for what held waits for
	late     *ending     // for when that does not come in time
}

func (g *Gateway) newStream(r *http.Request) *stream {
	id := make([]byte, 8)
	if _, err := io.ReadFull(g.cfg.Rand, id); err != nil {
		id = nil // an id is a convenience for readers of logs
	}
	s := &stream{
		g: g, id: base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(id),
		limitKey: limitKey(ClientAddress(r, g.cfg.TrustedProxies)),
		client:   clientEndpoint(r, g.cfg.TrustedProxies),
		aware:    r.URL.Query().Get("consent") == "walk",
		parser:   framing.NewParser(g.limits.Frame),
	}
	// Nothing of the request stays: a stream lives for hours.
	s.ctx = lifetime{&s.over}
	s.traces = g.log.Enabled(s.ctx, LevelTrace)
	s.meter = g.paces.meter(s.limitKey)
	return s
}

// log is for everything that is said about the stream.
func (s *stream) log() *slog.Logger { return s.g.log.With("conn", s.id) }

// run starts the stream's life. leave ends it.
func (s *stream) run(sock *socket, early []byte) {
	s.browser = newBrowser(sock, early)
	s.browser.queue = queue{sock: sock, limit: s.g.limits.Queue, stall: s.g.limits.Stall, start: s.start, failed: func(err error) {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.finish(endSlow)
		} else {
			s.finish(endGone)
		}
	}}
	s.loginBy = time.AfterFunc(s.g.limits.AuthTime, func() {
		if !s.isLoggedIn() {
			s.finish(s.tooLate())
		}
	})
	s.g.pulse.add(s)
	s.start(s.readBrowser)
	s.life.Lock()
	s.begun = true
	isEnd := s.ending != nil
	s.life.Unlock()
	if isEnd { // already: the process is shutting down
		go s.leave()
	}
}

// start runs f on a goroutine of the stream, unless it is too late for that.
// Any goroutine may call it.
func (s *stream) start(f func()) bool {
	s.life.Lock()
	defer s.life.Unlock()
	if s.left {
		return false
	}
	s.wg.Go(func() { s.guard(f) })
	return true
}

// guard turns a panic into the end of this one stream.
func (s *stream) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.g.metrics.panics.Inc()
			s.log().Error("gateway: panic", "value", v, "stack", string(debug.Stack()))
			s.finish(endPanic)
		}
	}()
	f()
}

// finish ends the stream. The first reason counts. Any goroutine may call it.
func (s *stream) finish(e ending) {
	s.life.Lock()
	first, begun := s.ending == nil, s.begun
	if first {
		s.ending = &e
	}
	s.life.Unlock()
	if !first {
		return
	}
	s.over.set()
	if begun {
		go s.leave()
	}
}

func (s *stream) isOver() bool { return s.over.isSet() }

// leave says goodbye and waits for what is left of the stream. It runs once,
// on a goroutine of its own.
func (s *stream) leave() {
	s.g.pulse.remove(s)
	s.browser.sock.wake(&s.g.resting)
	if c := s.server.Load(); c != nil {
		c.sock.wake(&s.g.resting)
	}
	s.guard(func() {
		defer s.abandon() // in case that goodbye fails
		s.goodbye(*s.ending)
	})
	s.life.Lock()
	s.left = true
	s.life.Unlock()
	s.wg.Wait()
	s.answered()
	s.g.metrics.streams.Dec()
	s.g.streams.remove(s)
	s.done.set()
}

// abandon lets go of whatever goodbye has left.
func (s *stream) abandon() {
	_ = s.browser.sock.Close()
	s.browser.queue.abandon()
	s.settled.set()
	if c := s.server.Load(); c != nil {
		c.close()
	}
}

// look finds the browsers that went away without a word, renews the saved
// state, and has rest who has nothing to read. The pulse calls it, every turn; it does not
// wait for anything.
func (s *stream) look(turn time.Duration) {
	silence, due := s.browser.silence(), s.g.limits.PingEvery-turn/2
	if silence > s.g.limits.DeadAfter {
		s.finish(endDead)
	} else if silence >= due && time.Since(s.pinged) >= due && s.browser.ping() {
		s.pinged = time.Now()
	}
	s.refresh()
	if !s.isLoggedIn() {
		return
	}
	s.browser.sock.tire()
	if c := s.server.Load(); c != nil {
		c.sock.tire()
	}
}

// rest ends the work of a reader until there is something to read. It reports
// whether read goes on then, on another goroutine; that one may be there before
// rest returns.
func (s *stream) rest(c *socket, read func()) bool {
	if s.isOver() || !c.rest(&s.g.resting, func() { s.start(read) }) {
		return false
	}
	if s.isOver() { // leave may have been too early to wake it
		c.wake(&s.g.resting)
	}
	return true
}

func (s *stream) isLoggedIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loginOK
}

// flush sends the server what the browser's frames so far came to.
func (s *stream) flush() {
	c := s.server.Load()
	if c == nil {
		return
	}
	if err := c.flush(); err != nil {
		s.finish(endLost.with(err))
	}
}

// flushBoth is for before a wait.
func (s *stream) flushBoth() {
	s.flush()
	_ = s.browser.queue.flush()
}

// hold keeps the browser's frames back until release. It expects s.mu to be
// held. What they wait for must come within the stall limit, else late is the
// end; a later hold changes nothing but late.
func (s *stream) hold(late *ending) {
	s.late = late
	if s.held != nil {
		return
	}
	held := make(chan struct{})
	s.held = held
	s.patience = time.AfterFunc(s.g.limits.Stall, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held == held {
			s.finish(*s.late)
		}
	})
}

// release expects s.mu to be held.
func (s *stream) release() {
	if s.held != nil {
		s.patience.Stop()
		close(s.held)
		s.held, s.patience = nil, nil
	}
}

// put hands a frame to the browser, for the next flush.
func (s *stream) put(frame []byte) {
	s.traceBytes("to browser", frame)
	s.browser.put(s.ctx, frame)
	if s.browser.queue.isFull() {
		_ = s.browser.queue.flush()
	}
}

// setConsent brings a change of consent to the live stream, unless somebody
// else has logged in on it meanwhile.
func (s *stream) setConsent(account string, c policy.Consent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.who.account != account {
		return
	}
	s.consent = &c
	if s.username == "" {
		return
	}
	if s.fresh != nil { // unbound: nothing is to be done but to know
		s.fresh.SetConsent(c)
	}
	switch s.policy.SetConsent(c) {
	case policy.EndStream:
		s.finish(endConsent)
	case policy.AwaitWalk:
		p := s.policy
		if s.grace != nil {
			s.grace.Stop()
		}
		s.grace = time.AfterFunc(s.g.limits.Grace, func() {
			if !p.Settled() {
				s.finish(endConsent)
			}
		})
	}
	s.markStale(true)
}
