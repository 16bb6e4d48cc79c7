package gateway

import (
	"context"
	"encoding/base32"
	"errors"
	"io"
	"log/slog"
	"net/http"
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
	aware    bool
	log      *slog.Logger
	traces   bool // the log takes LevelTrace

	bound binding // guarded by the registry's lock

	browser *browser
	wg      sync.WaitGroup
	ctx     context.Context // ends when the stream is over
	cancel  context.CancelFunc

	once    sync.Once
	ending  ending        // readable once over is closed
	over    chan struct{} // closed when the stream is to end
	bye     chan struct{} // closed when the browser's <close/> came after that
	hush    sync.Once     // for bye
	doomed  atomic.Bool   // the session must not outlive the stream
	stale   chan struct{} // a token: the saved state may be out of date
	saving  sync.Mutex    // held while the state is saved
	rested  chan struct{} // closed when the server's side and the saved state are settled
	resting sync.Once     // for rested
	done    chan struct{} // closed when the handler has returned

	server atomic.Pointer[server] // nil until the first <open/>

	// The browser's reader alone.
	unauthed int // bytes read before the login
	asked    bool

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
	consent  *policy.Consent // set before there is a policy
	held     chan struct{}   // closed when the browser's frames may go on; nil: they may
	sm       management
	clock    stopwatch
	grace    *time.Timer // for going hidden
	patience *time.Timer // for what held waits for
}

func (g *Gateway) newStream(r *http.Request) *stream {
	id := make([]byte, 8)
	if _, err := io.ReadFull(g.cfg.Rand, id); err != nil {
		id = nil // an id is a convenience for readers of logs
	}
	s := &stream{
		g: g, id: base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(id),
		limitKey: limitKey(ClientAddress(r, g.cfg.TrustedProxies)),
		aware:    r.URL.Query().Get("consent") == "walk",
		over:     make(chan struct{}), bye: make(chan struct{}), stale: make(chan struct{}, 1),
		rested: make(chan struct{}), done: make(chan struct{}),
	}
	s.log = g.log.With("conn", s.id)
	s.traces = s.log.Enabled(r.Context(), LevelTrace)
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	return s
}

// run is the stream's life. It returns when every goroutine of it has ended.
func (s *stream) run(b *browser) {
	s.browser = b
	b.conn.beforeRead = s.flush
	s.start(func() {
		if err := b.write(); errors.Is(err, os.ErrDeadlineExceeded) {
			s.finish(endSlow)
		} else if err != nil {
			s.finish(endGone)
		}
	})
	s.start(func() {
		defer s.abandon() // in case that goodbye fails
		s.watch()
	})
	s.guard(s.readBrowser)
	s.wg.Wait()
	s.cancel()
}

// abandon lets go of whatever goodbye has left.
func (s *stream) abandon() {
	s.browser.queue.finish()
	_ = s.browser.ws.CloseNow()
	s.resting.Do(func() { close(s.rested) })
	if c := s.server.Load(); c != nil {
		_ = c.conn.Close()
	}
}

// start runs f on a goroutine of the stream.
func (s *stream) start(f func()) { s.wg.Go(func() { s.guard(f) }) }

// guard turns a panic into the end of this one stream.
func (s *stream) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.g.metrics.panics.Inc()
			s.log.Error("gateway: panic", "value", v, "stack", string(debug.Stack()))
			s.finish(endPanic)
		}
	}()
	f()
}

// finish ends the stream. The first reason counts. Any goroutine may call it.
func (s *stream) finish(e ending) {
	s.once.Do(func() {
		s.ending = e
		close(s.over)
		s.cancel()
	})
}

func (s *stream) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// watch minds the clock, saves the state, and in the end says goodbye.
func (s *stream) watch() {
	login := time.NewTimer(s.g.limits.AuthTime)
	defer login.Stop()
	ping := time.NewTicker(s.g.limits.PingEvery)
	defer ping.Stop()
	refresh := time.NewTicker(s.g.limits.RefreshState)
	defer refresh.Stop()
	for {
		select {
		case <-s.over:
			s.goodbye(s.ending)
			return
		case <-login.C:
			if !s.isLoggedIn() {
				s.finish(endAuthTime)
			}
		case <-ping.C:
			s.checkPulse()
		case <-s.stale:
			s.save(false)
		case <-refresh.C:
			s.save(true)
		}
	}
}

// checkPulse finds the browsers that went away without a word.
func (s *stream) checkPulse() {
	silence := s.browser.conn.silence()
	if silence > s.g.limits.DeadAfter {
		s.finish(endDead)
	} else if every := s.g.limits.PingEvery; silence >= every/2 {
		s.browser.ping(s.ctx, every/2)
	}
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

// hold keeps the browser's frames back until release. It expects s.mu to be
// held. What they wait for must come within the stall limit.
func (s *stream) hold() {
	s.held = make(chan struct{})
	s.patience = time.AfterFunc(s.g.limits.Stall, func() { s.finish(endArm) })
}

// release expects s.mu to be held.
func (s *stream) release() {
	if s.held != nil {
		s.patience.Stop()
		close(s.held)
		s.held = nil
	}
}

// put hands a frame to the browser.
func (s *stream) put(frame []byte) {
	s.traceBytes("to browser", frame)
	s.browser.queue.put(s.ctx, frame)
}

// goodbye ends both sides, as the ending says.
func (s *stream) goodbye(e ending) {
	opened, how, farewell := s.stopServing(e.server)
	last := e.frames(opened, framing.Header{From: s.g.cfg.Domain, ID: s.id, Version: "1.0"}, s.g.cfg.SeeOtherURL)
	if !e.drain {
		s.browser.queue.finish(last...)
	}
	if c := s.server.Load(); c != nil {
		c.end(how, farewell, s.g.limits.Goodbye)
	}
	s.browser.queue.finish(last...)
	s.settle(e)
	s.resting.Do(func() { close(s.rested) })
	s.endBrowser(e, s.g.limits.Goodbye)
	s.logEnd(e)
}

// stopServing closes the way to the server for frames, and stops the timers.
// Whose leave no contact may see is not cut but closed if it cannot be resumed,
// and says farewell before.
func (s *stream) stopServing(planned serverEnd) (opened bool, how serverEnd, farewell []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	for _, t := range []*time.Timer{s.grace, s.patience} {
		if t != nil {
			t.Stop()
		}
	}
	resumable := planned == cut && (s.sm.previd != "" || s.sm.pending != "")
	if s.policy != nil && !resumable {
		farewell = s.policy.Farewell()
	}
	if farewell != nil {
		planned = closeStream
	}
	return s.opened, planned, farewell
}

// endBrowser lets the last frames out and closes the WebSocket.
func (s *stream) endBrowser(e ending, patience time.Duration) {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-s.browser.done:
	case <-t.C: // it reads nothing: a close handshake would not get through either
		_ = s.browser.ws.CloseNow()
		return
	}
	if !e.silent && !e.abrupt {
		t.Reset(patience)
		select {
		case <-s.bye:
		case <-t.C:
		}
	}
	if e.code == 0 {
		_ = s.browser.ws.CloseNow()
		return
	}
	_ = s.browser.ws.Close(e.code, e.reason)
}

func (s *stream) logEnd(e ending) {
	s.g.metrics.ended.WithLabelValues(e.reason).Inc()
	s.mu.Lock()
	account := s.who.account
	s.mu.Unlock()
	attrs := []any{"account", account, "reason", e.reason}
	if e.detail != "" {
		attrs = append(attrs, "detail", e.detail)
	}
	s.log.Info("gateway: stream ended", attrs...)
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
	s.markStale()
}

func (s *stream) markStale() {
	select {
	case s.stale <- struct{}{}:
	default:
	}
}
