package gateway

import (
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// goodbye ends both sides, as the ending says.
func (s *stream) goodbye(e ending) {
	opened, how, farewell := s.stopServing(e.server)
	last := e.frames(opened, framing.Header{From: s.g.cfg.Domain, ID: s.id, Version: "1.0"}, s.g.cfg.SeeOtherURL)
	if !e.drain {
		s.browser.finish(last...)
	}
	if c := s.server.Load(); c != nil {
		c.end(how, farewell, s.g.limits.Goodbye)
	}
	if how == cut { // whoever is told to come back must find the state that it comes back to
		s.settle(e)
		s.browser.finish(last...)
	} else {
		s.browser.finish(last...)
		s.settle(e)
	}
	s.settled.set()
	s.endBrowser(e, s.g.limits.Goodbye)
	s.logEnd(e)
}

// stopServing closes the way to the server for frames, and stops the timers.
// A session that cannot be resumed, and needs a farewell, is closed after that, not
// cut. A login that is with the server is not cut either: its answer counts.
func (s *stream) stopServing(planned serverEnd) (opened bool, how serverEnd, farewell []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	for _, t := range []*time.Timer{s.loginBy, s.grace, s.patience} {
		if t != nil {
			t.Stop()
		}
	}
	resumable := planned == cut && (s.sm.previd != "" || s.sm.pending != "")
	if s.policy != nil && !resumable {
		farewell = s.policy.Farewell()
	}
	if farewell != nil || s.phase == phaseAuth {
		planned = closeStream
	}
	return s.opened, planned, farewell
}

// endBrowser lets the last frames out and closes the WebSocket.
func (s *stream) endBrowser(e ending, patience time.Duration) {
	b := s.browser
	if !b.queue.settled(patience) {
		return // it reads nothing: a close handshake would not get through either
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	switch {
	case e.theirs:
		select {
		case <-b.left.wait():
		case <-t.C:
		}
	case !e.silent && !e.abrupt:
		select {
		case <-s.bye.wait():
		case <-b.left.wait():
		case <-t.C:
		}
	}
	if e.code == 0 {
		return
	}
	b.close(int(e.code), e.reason)
	t.Reset(patience)
	select {
	case <-b.left.wait(): // its close frame has come, or its end
	case <-t.C:
	}
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
	s.log().Info("gateway: stream ended", attrs...)
}
