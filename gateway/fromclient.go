package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
	"github.com/trunkline-chat/trunkline/gateway/wsframe"
)

// readBrowser carries the browser's frames to the server until the stream is
// over, then reads on for the browser's own goodbye.
func (s *stream) readBrowser() {
	rests := false
	defer func() {
		if !rests {
			s.browser.left.set()
		}
	}()
	s.browser.begin()
	for !s.isOver() {
		frame, err := s.browser.read(s.frameLimit, s.beforeRead)
		if errors.Is(err, errRest) {
			if rests = s.rest(s.browser.sock, s.readBrowser); rests {
				return
			}
			s.browser.roused = false // it has to wait here
			continue
		}
		if err == nil {
			s.g.metrics.fromClient.Add(int64(len(frame)))
			s.unauthed += len(frame) // read only before the login
			var e *framing.Element
			if e, err = s.parser.Frame(frame); err == nil {
				s.fromBrowser(e)
			}
		}
		if err != nil && !s.answersLimit(frame, err) {
			s.finish(s.readEnding(err))
			if e := (*framing.Error)(nil); !errors.As(err, &e) && !errors.Is(err, wsframe.ErrTooBig) && !errors.Is(err, errCut) {
				return // the connection is gone
			}
		}
	}
	s.browser.discard(s.g.limits.Frame.MaxBytes, s.closedByBrowser)
}

// beforeRead sends what the frames so far came to, and waits for a server that
// is slower than the browser.
func (s *stream) beforeRead() {
	s.flushBoth()
	s.parser.Release()
	if c := s.server.Load(); c != nil {
		c.out.room(s.ctx, 0)
	}
	s.paceReads()
}

// closedByBrowser notes the browser's <close/>.
func (s *stream) closedByBrowser() { s.bye.set() }

// readEnding is what an error of read or ParseFrame means for the stream.
func (s *stream) readEnding(err error) ending {
	f, w, c := (*framing.Error)(nil), (*wsframe.Error)(nil), closed(0)
	switch {
	case errors.Is(err, wsframe.ErrTooBig) && s.frameLimit() < s.g.limits.Frame.MaxBytes:
		return endAuthBytes
	case errors.Is(err, wsframe.ErrTooBig), errors.Is(err, errCut):
		return endTooBig
	case errors.As(err, &f):
		return endFraming(err)
	case errors.As(err, &w):
		e := endWebSocket.with(err)
		e.code = websocket.StatusCode(w.Code)
		return e
	case errors.As(err, &c):
		e := endGone
		e.detail = fmt.Sprint("close code ", int(c)) // its reason is the browser's to choose
		return e
	default:
		return endGone
	}
}

// frameLimit is how large the next frame may be.
func (s *stream) frameLimit() int {
	limit := s.g.limits.Frame.MaxBytes
	if !s.isLoggedIn() {
		limit = min(limit, s.g.limits.AuthBytes-s.unauthed)
	}
	return limit
}

// fromBrowser handles one frame. It runs on the reading goroutine alone.
func (s *stream) fromBrowser(e *framing.Element) {
	s.trace("from browser", e)
	s.mu.Lock()
	now, held := s.phase, s.held
	s.mu.Unlock()
	if held != nil {
		s.await(held)
	}
	switch {
	case framing.IsClose(e):
		s.finish(endClient)
		s.closedByBrowser()
	case now == phaseNew || framing.IsOpen(e):
		s.open(e, now)
	case isForeignHeader(e):
		s.finish(endHeader)
	case now == phaseOpened:
		s.login(e)
	case now == phaseAuth:
		s.finish(endNotAuthorized)
	case now == phaseSuccess:
		s.finish(endNotOpen)
	case !s.paceStanza(e): // it is refused
	case isResume(e):
		s.resume(e)
	default:
		s.judgeClient(e)
	}
}

// isForeignHeader tells what is meant to begin or end a stream but is not
// qualified by the namespace for that (RFC 7395 section 3.3.2).
func isForeignHeader(e *framing.Element) bool {
	switch e.Name.Local {
	case "open", "close":
		return e.Name.Space != framing.NSFraming
	case "stream":
		return e.Name.Space == framing.NSStream
	}
	return false
}

// await keeps the browser's frames back until what came before them is
// settled at the server.
func (s *stream) await(held <-chan struct{}) {
	s.flushBoth()
	select {
	case <-held:
	case <-s.over.wait():
	}
}

// open starts the server's stream, for the first or, after the login, for the
// second time (RFC 7395 section 3.4).
func (s *stream) open(e *framing.Element, now phase) {
	h, err := framing.ParseOpen(e)
	switch {
	case err != nil:
		s.finish(endFraming(err))
		return
	case now != phaseNew && now != phaseSuccess:
		s.finish(endOpenAgain)
		return
	case !strings.EqualFold(h.To, s.g.cfg.Domain):
		s.finish(endHost)
		return
	}
	if now == phaseNew && !s.reachServer() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phaseOpened
	if now == phaseSuccess {
		s.phase = phaseReady
	}
	s.clock.begin(stepOpen)
	s.toServer(framing.AppendStreamHeader(nil, framing.Header{To: s.g.cfg.Domain, Version: "1.0", Lang: h.Lang}))
}

// reachServer connects and starts the goroutine that reads from there.
func (s *stream) reachServer() bool {
	stranger, err := s.g.strangerPolicy()
	if err != nil {
		s.finish(endPanic.with(err))
		return false
	}
	began := time.Now()
	conn, err := s.reach()
	if err != nil {
		s.finish(unreached(err))
		return false
	}
	s.g.metrics.took(stepConnect, began)
	c := newServer(conn, s.g.limits.Stall, s.start, func(err error) {
		s.finish(endLost.with(fmt.Errorf("gateway: writing to the server: %w", err)))
	})
	s.mu.Lock()
	s.policy = stranger
	s.mu.Unlock()
	s.server.Store(c)
	if !s.start(func() { s.readServer(c) }) || s.isOver() {
		c.close() // goodbye may have been too early to see it
		s.turnOver()
		return false
	}
	return true
}

// toServer expects s.mu to be held. After the stream is over it drops b.
func (s *stream) toServer(b []byte) {
	if !s.gone && !s.isOver() {
		s.traceBytes("to server", b)
		s.server.Load().queue(b)
	}
}

// judgeClient asks the policy and does what it says.
func (s *stream) judgeClient(e *framing.Element) {
	s.carryClient(e)
	if s.server.Load().out.isFull() {
		s.flush()
	}
}

func (s *stream) carryClient(e *framing.Element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Is(framing.NSClient, "message") { // it shows the stream to nobody who could not see it
		v := s.policy.FromClient(e)
		s.carry(e, v)
		if v.Action == policy.Replace {
			s.markStale(false)
		}
		return
	}
	before := s.policy.Exposure()
	v := s.policy.FromClient(e)
	now := s.policy.Exposure()
	if v.Action == policy.End || !now.WiderThan(before) || !s.isKept() {
		s.carry(e, v)
		if e.IsStanza() {
			s.markStale(now != before)
		}
	} else if s.keepFirst() {
		s.carry(e, v)
	}
}

// isKept says whether the session can be resumed with a saved state. It expects
// s.mu to be held.
func (s *stream) isKept() bool { return s.sm.previd != "" && s.g.cfg.Resumptions != nil }

// carry does what a verdict about e says. It expects s.mu to be held.
func (s *stream) carry(e *framing.Element, v policy.Verdict) {
	s.g.metrics.stanza("client", v)
	for _, frame := range v.Inject {
		s.toServer(frame)
	}
	switch v.Action {
	case policy.Pass:
		s.sm.fromClient(e)
		s.toServer(e.Raw) // the server reads what the policy read
	case policy.Replace:
		s.toServer(v.Frame)
		if s.policy.JID() == "" { // what comes after the bind waits for its result
			s.clock.begin(stepBind)
			s.hold(&endServerSlow)
		}
	case policy.End:
		s.finish(endPolicy(v))
	}
}
