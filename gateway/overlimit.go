package gateway

import (
	"errors"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
	"github.com/trunkline-chat/trunkline/gateway/wsframe"
)

// answersLimit says whether an error of read, or of the parser, only means that
// a stanza is over a limit and the stream can go on: its sender is told so by a
// stanza error. frame is the stanza, or its beginning.
func (s *stream) answersLimit(frame []byte, err error) bool {
	f := (*framing.Error)(nil)
	switch {
	case !s.isLoggedIn():
		return false
	case errors.Is(err, wsframe.ErrTooBig): // it is answered when it has gone by
		s.passing = 1
		return s.browser.in.Left() <= uint64(s.g.limits.Oversized)
	case errors.Is(err, errCut):
		s.passing = 0
		return s.refuseFrame(frame, policy.LimitSize)
	case errors.As(err, &f) && f.Condition == framing.PolicyViolation:
		return s.refuseFrame(frame, policy.LimitForm)
	}
	return false
}

// refuseFrame answers a frame by what its start tag says, if that is a
// stanza's. The rest of it was not read.
func (s *stream) refuseFrame(frame []byte, limit string) bool {
	e, err := framing.Head(frame)
	if err != nil || !e.IsStanza() {
		return false
	}
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		s.await(held)
	}
	if s.paceStanza(e) {
		s.refuseStanza(e, limit)
	}
	return true
}

// refuseStanza has one go to the server in the stanza's place, whose answer
// becomes the stanza error.
func (s *stream) refuseStanza(e *framing.Element, limit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carry(e, s.policy.Refuse(e, limit))
	s.markStale(false)
}
