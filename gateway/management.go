package gateway

import (
	"context"
	"encoding/json"
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
	p, state, err := s.restore(previd)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.sm.previd != "" || s.policy.JID() != "":
		return resumeFailed(e, "unexpected-request")
	case err != nil || p == nil:
		s.refuseResume(e, err)
		return resumeFailed(e, "item-not-found")
	default:
		s.g.streams.own(previd, s)
		s.fresh, s.policy = s.policy, p
		s.sm.pending, s.sm.max = previd, time.Duration(state.Max)*time.Second
		s.sm.count(e)
		s.hold()
		s.toServer(framing.ToServer(e))
		return nil
	}
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
	case <-old.rested:
	case <-s.over:
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

// restore reads the state under an SM id. Nil without an error: there is none.
func (s *stream) restore(previd string) (*policy.Stream, saved, error) {
	var state saved
	if s.g.cfg.Resumptions == nil || previd == "" {
		return nil, state, nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, lookupTimeout)
	defer cancel()
	b, err := s.g.cfg.Resumptions.LoadResumption(ctx, resumptionKey(s.g.cfg.Domain, previd))
	if err != nil || b == nil {
		return nil, state, err
	}
	if err := json.Unmarshal(b, &state); err != nil {
		return nil, state, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := policy.Restore(s.policyConfig(s.username), state.Policy)
	return p, state, err
}

// refuseResume expects s.mu to be held.
func (s *stream) refuseResume(e *framing.Element, err error) {
	reason := "unknown"
	if err != nil {
		reason = err.Error()
	}
	s.log.Info("gateway: resumption refused", "account", s.who.account, "reason", reason)
	s.g.metrics.stanzas.WithLabelValues("client", "resume_refused").Inc()
	if errors.Is(err, policy.ErrNarrower) {
		m := management{}
		m.count(e)
		s.g.asleep.wake(e.Attr("previd"))
		s.g.asleep.condemn(sleeper{binding: s.who, previd: e.Attr("previd"), handled: m.handled})
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
		s.save(true)
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
		s.g.asleep.wake(s.sm.previd)
	case "failed":
		if s.resuming() { // the client will bind anew
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

// save keeps what a resumption needs, if it changed or always. The state of a
// live stream outlives the refreshing; settle sets its true end.
func (s *stream) save(always bool) {
	s.mu.Lock()
	id, ok := s.sm.previd, s.g.cfg.Resumptions != nil
	life := s.sm.max + 3*s.g.limits.RefreshState
	s.mu.Unlock()
	if id != "" && ok && !s.isOver() {
		s.store(life, always)
	}
}

// store is called by the goroutines of watch and of the server's reader, the
// latter only before the client can resume; saving is one at a time.
func (s *stream) store(life time.Duration, always bool) {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	id, max, account, stored := s.sm.previd, s.sm.max, s.who.account, s.sm.stored
	snapshot, err := s.policy.Snapshot()
	s.mu.Unlock()
	if err != nil || (!always && string(snapshot) == stored) {
		return
	}
	state, err := json.Marshal(saved{Policy: snapshot, Max: int(max / time.Second)})
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), lookupTimeout)
		defer cancel()
		err = s.g.cfg.Resumptions.SaveResumption(ctx, resumptionKey(s.g.cfg.Domain, id), account, state,
			s.g.cfg.Now().Add(life))
	}
	if err != nil {
		s.log.Warn("gateway: resumption not saved", "account", account, "error", err)
		return
	}
	s.mu.Lock()
	s.sm.stored = string(snapshot)
	s.mu.Unlock()
}

// settle does what remains of a stream's XEP-0198 at its end: a cut session
// may be resumed for as long as the server keeps it, a closed one never.
func (s *stream) settle(e ending) {
	s.mu.Lock()
	m, who, p := s.sm, s.who, s.policy
	s.mu.Unlock()
	id := m.previd
	if id == "" {
		id = m.pending // cut on the way: the server may or may not have resumed it
	}
	if id == "" || !s.g.streams.disown(id, s) {
		return
	}
	if e.server != cut {
		s.forgetState(id)
		return
	}
	if m.previd != "" && s.g.cfg.Resumptions != nil {
		s.store(m.max+time.Minute, !e.elsewhere)
	}
	s.g.asleep.add(sleeper{
		binding: who, previd: id, handled: m.handled, aware: s.aware, expires: s.g.cfg.Now().Add(m.max + time.Minute),
	}, func() (shown, doomed bool) {
		shown = p.Consent().Presence
		return shown, s.doomed.Load() || (!shown && !p.Settled())
	})
}

func (s *stream) forgetState(previd string) {
	if s.g.cfg.Resumptions == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), lookupTimeout)
	defer cancel()
	if err := s.g.cfg.Resumptions.DeleteResumption(ctx, resumptionKey(s.g.cfg.Domain, previd)); err != nil {
		s.log.Warn("gateway: resumption not forgotten", "error", err)
	}
}
