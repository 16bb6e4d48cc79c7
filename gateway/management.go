package gateway

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
)

const (
	nsSM    = "urn:xmpp:sm:3" // XEP-0198
	nsOldSM = "urn:xmpp:sm:2" // its version before, which servers offer as well
)

func isManagement(e *framing.Element) bool { return e.Name.Space == nsSM || e.Name.Space == nsOldSM }

// management is what the gateway keeps of a stream's XEP-0198. Its counts are
// the client's and the server's own: what the policy does never changes them.
type management struct {
	previd  string // the SM id, "" if the session cannot be resumed
	max     time.Duration
	handled uint32 // the last h that the client sent
	pending string // the SM id of a resumption that is with the server
	stored  string // the state as it was last saved
}

// fromClient notes the client's count.
func (m *management) fromClient(e *framing.Element) {
	if isManagement(e) && e.Name.Local == "a" {
		m.count(e)
	}
}

func (m *management) count(e *framing.Element) {
	if h, err := strconv.ParseUint(e.Attr("h"), 10, 32); err == nil {
		m.handled = uint32(h)
	}
}

func isResume(e *framing.Element) bool { return isManagement(e) && e.Name.Local == "resume" }

// resuming expects s.mu to be held.
func (s *stream) resuming() bool { return s.sm.pending != "" }

// resume takes a resumption to the server if the policy state of the session
// is known and the consent is no narrower; else the client is told that there
// is nothing to resume, and binds anew (XEP-0198 section 5).
func (s *stream) resume(e *framing.Element) {
	previd := strings.Clone(e.Attr("previd"))
	s.supersede(previd)
	if failed := s.tryResume(e, previd); failed != nil {
		s.put(failed)
	}
}

// tryResume returns what the client is to be told, nil if the server tells it.
func (s *stream) tryResume(e *framing.Element, previd string) []byte {
	state, err := s.g.load(s.ctx, previd)
	if err == nil && state != nil {
		err = s.renewConsent()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sm.previd != "" || s.policy.JID() != "" {
		return resumeFailed(e, "unexpected-request")
	}
	var p *policy.Stream
	if err == nil && state != nil { // under the lock: no change of consent comes in between
		p, err = policy.Restore(s.policyConfig(s.username), state.Policy)
	}
	if err != nil || p == nil {
		s.refuseResume(e, state, err)
		return resumeFailed(e, "item-not-found")
	}
	s.g.streams.own(previd, s)
	s.fresh, s.policy = s.policy, p
	s.sm.pending, s.sm.max = previd, time.Duration(state.Max)*time.Second
	s.sm.count(e)
	s.hold(&endServerSlow)
	s.toServer(e.Raw)
	return nil
}

// renewConsent asks again what may be shown: the login was a while ago, and a change
// may have been made where this process did not hear of it. What it has heard
// of meanwhile counts instead.
func (s *stream) renewConsent() error {
	s.mu.Lock()
	account, told := s.who.account, s.consent
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, lookupTimeout)
	defer cancel()
	c, err := s.g.consent(ctx, account)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.consent == told && s.policy.JID() == "" {
		s.consent = &c
		s.policy.SetConsent(c) // unbound: nothing is to be done but to know
	}
	return nil
}

// supersede ends the stream that still holds the session, as when a browser
// comes back before its lost connection was noticed. Its last state is saved
// when supersede returns.
func (s *stream) supersede(previd string) {
	old := s.g.streams.owner(previd)
	if old == nil || old == s || !s.isOfSameAccount(old) {
		return
	}
	old.finish(endResumed)
	select {
	case <-old.settled.wait():
	case <-s.over.wait():
	}
}

func (s *stream) isOfSameAccount(t *stream) bool {
	s.mu.Lock()
	account := s.who.account
	s.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.who.account == account
}

// refuseResume expects s.mu to be held.
func (s *stream) refuseResume(e *framing.Element, state *saved, err error) {
	reason := "unknown"
	if err != nil {
		reason = err.Error()
	}
	s.log().Info("gateway: resumption refused", "account", s.who.account, "reason", reason)
	s.g.metrics.resumes.WithLabelValues("refused").Inc()
	if errors.Is(err, policy.ErrNarrower) {
		m := management{handled: state.Handled}
		m.count(e)
		s.g.asleep.condemn(sleeper{
			binding: s.who, previd: strings.Clone(e.Attr("previd")), handled: m.handled, node: state.Node,
			expires: s.g.cfg.Now().Add(time.Duration(state.Max)*time.Second + expiryMargin),
		})
	}
}

func resumeFailed(e *framing.Element, condition string) []byte {
	return []byte("<failed xmlns='" + e.Name.Space + "'><" + condition + " xmlns='" + framing.NSStanzas + "'/></failed>")
}

// management follows the server's part of XEP-0198. The state is saved before
// the client knows that it can resume.
func (s *stream) management(e *framing.Element) {
	switch e.Name.Local {
	case "enabled", "resumed", "failed":
		s.manage(e)
		_ = s.save(true) // without a state nobody resumes it
	}
}

func (s *stream) manage(e *framing.Element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Name.Local {
	case "enabled":
		if id := e.Attr("id"); id != "" && isTrue(e.Attr("resume")) {
			s.sm.previd = strings.Clone(id)
			s.sm.max = s.sessionTime(e.Attr("max"))
			s.g.streams.own(s.sm.previd, s)
		}
	case "resumed":
		s.sm.previd, s.sm.pending = s.sm.pending, ""
		s.fresh = nil
		s.g.metrics.resumes.WithLabelValues("resumed").Inc()
		s.g.asleep.wake(s.sm.previd)
	case "failed":
		if s.resuming() { // the client will bind anew
			s.g.metrics.resumes.WithLabelValues("server_refused").Inc()
			s.g.asleep.wake(s.sm.pending)
			s.g.streams.disown(s.sm.pending, s)
			s.sm, s.policy, s.fresh = management{}, s.fresh, nil
		}
	}
	s.release()
}

func isTrue(s string) bool { return s == "true" || s == "1" }

// sessionTime reads the max attribute of <enabled/>: seconds.
func (s *stream) sessionTime(max string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(max), 10, 31)
	if err != nil || n == 0 {
		return s.g.limits.Hibernation
	}
	return min(time.Duration(n)*time.Second, 24*time.Hour)
}
