package gateway

import (
	"errors"
	"io"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// readServer carries the server's stream to the browser until it ends. When
// the stream is over it reads on for the server's own end of it.
func (s *stream) readServer(c *server) {
	rests := false
	defer func() {
		if !rests {
			s.turnOver()
			c.done.set()
		}
	}()
	for {
		item, err := c.next(s.flushBoth)
		if errors.Is(err, errRest) {
			if rests = s.rest(c.sock, func() { s.readServer(c) }); rests {
				return
			}
			continue
		}
		if err != nil {
			e, ok := s.ungreeted(c.sock, err)
			if !ok {
				e = readServerEnding(err)
			}
			s.finish(e)
			return
		}
		switch item.Kind {
		case framing.StreamStart:
			s.opening(item.Header)
		case framing.Stanza:
			s.g.metrics.fromServer.Add(int64(len(item.Element.Raw)))
			s.fromServer(c, item.Element)
		case framing.StreamEnd:
			s.finish(endServer)
			return
		}
	}
}

func readServerEnding(err error) ending {
	if f := (*framing.Error)(nil); errors.As(err, &f) {
		return endServerSpeaks.with(err)
	}
	if errors.Is(err, io.EOF) {
		return endLost
	}
	return endLost.with(err)
}

// opening turns the server's stream header into <open/> (RFC 7395 section 3.4).
func (s *stream) opening(h framing.Header) {
	s.mu.Lock()
	s.opened = true
	s.mu.Unlock()
	s.put(framing.AppendOpen(nil, framing.Header{From: h.From, ID: h.ID, Version: h.Version, Lang: h.Lang}))
}

// fromServer handles one element. It runs on the server's reading goroutine
// alone.
func (s *stream) fromServer(c *server, e *framing.Element) {
	s.trace("from server", e)
	switch {
	case e.Is(framing.NSStream, "error"):
		s.put(streamError(e))
		s.finish(endStreamError(e))
		return
	case e.Name.Space == nsSASL:
		s.loginAnswer(c, e)
		return
	case isManagement(e):
		s.management(e)
		s.put(e.Raw)
		return
	}
	s.judgeServer(e)
}

// loginAnswer handles <success/>, <failure/> and what a server must not say: one of
// these when nobody has asked, and a challenge.
func (s *stream) loginAnswer(c *server, e *framing.Element) {
	s.mu.Lock()
	s.clock.end(s.g.metrics, stepLogin)
	asked := s.phase == phaseAuth
	s.mu.Unlock()
	defer s.answered()
	if !asked {
		s.finish(endServerSpeaks)
		return
	}
	switch e.Name.Local {
	case "success":
		s.loggedIn(e)
		c.restart()
		c.sock.acks.Store(true)
		s.put(e.Raw)
	case "failure":
		s.refusedByServer(conditionOf(e))
		s.loginFailed(conditionOf(e), e.Raw)
	default: // PLAIN has no challenge after its first message
		s.finish(endServerSpeaks)
	}
}

// judgeServer asks the policy and does what it says.
func (s *stream) judgeServer(e *framing.Element) {
	if !s.greeted.Load() && e.Is(framing.NSStream, "features") && !s.greeting(e) {
		return
	}
	v := s.carryServer(e)
	if len(v.Inject) > 0 {
		s.flush()
	}
	switch v.Action {
	case policy.Pass:
		s.put(e.Raw)
	case policy.Replace:
		s.put(v.Frame)
	case policy.End:
		s.finish(endPolicy(v))
	}
	if v.Then == policy.EndStream {
		s.finish(endBlocks)
	}
}

// carryServer does what concerns the server.
func (s *stream) carryServer(e *framing.Element) policy.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := e.Is(framing.NSClient, "iq")
	var before policy.Exposure
	if is {
		before = s.policy.Exposure()
	}
	v := s.policy.FromServer(e)
	s.g.metrics.stanza("server", v)
	for _, frame := range v.Inject {
		s.toServer(frame)
	}
	if s.clock.step != "" {
		s.stopClock(e)
	}
	switch {
	case len(v.Inject) > 0: // hiding follows the bind
		s.hold(&endArm)
	case !s.policy.Waiting() && !s.resuming():
		s.release()
	}
	if is {
		s.markStale(s.policy.Exposure() != before)
	}
	return v
}

// stopClock expects s.mu to be held.
func (s *stream) stopClock(e *framing.Element) {
	switch {
	case e.Is(framing.NSStream, "features"):
		s.clock.end(s.g.metrics, stepOpen)
	case s.policy.JID() != "" && !s.policy.Waiting():
		s.clock.end(s.g.metrics, stepBind)
	}
}
