package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// saved is what outlives a stream, see Resumptions: the policy's state for a
// resumption, the rest for ending the session if nobody may resume it.
type saved struct {
	Policy     json.RawMessage `json:"policy"`
	Max        int             `json:"max"` // seconds the server keeps the session after a cut
	Username   string          `json:"username"`
	Session    string          `json:"session"`
	Credential string          `json:"credential"`
	Previd     string          `json:"previd"`
	Handled    uint32          `json:"handled"` // the last h of the client, as of the cut
	Aware      bool            `json:"aware"`
	Node       string          `json:"node"` // the process that held the session last
	Cut        int64           `json:"cut"`  // when it was cut, in Unix milliseconds; 0 while the stream lives
}

// load reads the state under an SM id. Nil without an error: there is none.
func (g *Gateway) load(ctx context.Context, previd string) (*saved, error) {
	if g.cfg.Resumptions == nil || previd == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	b, err := g.cfg.Resumptions.LoadResumption(ctx, resumptionKey(g.cfg.Domain, previd))
	if err != nil || b == nil {
		return nil, err
	}
	state := &saved{}
	if err := json.Unmarshal(b, state); err != nil {
		return nil, fmt.Errorf("gateway: a saved state: %w", err)
	}
	return state, nil
}

// save keeps what a resumption needs, if it changed or always. The state of a
// live stream outlives the refreshing; settle sets its true end. An error has been
// logged; the state may have been saved all the same.
func (s *stream) save(always bool) error {
	s.mu.Lock()
	id, ok := s.sm.previd, s.g.cfg.Resumptions != nil
	life := s.sm.max + 3*s.g.limits.RefreshState
	s.mu.Unlock()
	if id == "" || !ok {
		return nil
	}
	return s.store(life, always, time.Time{})
}

// store saves the state, one at a time. cutAt is zero for a live stream, whose
// state is not touched any more once the stream is over: it is settle's then, or
// that of another process.
func (s *stream) store(life time.Duration, always bool, cutAt time.Time) error {
	s.keeping.one.Lock()
	defer s.keeping.one.Unlock()
	if cutAt.IsZero() && s.isOver() {
		return nil
	}
	s.mu.Lock()
	state := saved{
		Max: int(s.sm.max / time.Second), Username: s.username, Session: s.who.session, Credential: s.who.credential,
		Previd: s.sm.previd, Handled: s.sm.handled, Aware: s.aware, Node: s.g.node,
	}
	account, stored := s.who.account, s.sm.stored
	snapshot, err := s.policy.Snapshot()
	s.mu.Unlock()
	if err != nil || (!always && string(snapshot) == stored) {
		return err
	}
	s.keeping.saved.Store(max(1, s.g.paces.now()))
	state.Policy = snapshot
	if !cutAt.IsZero() {
		state.Cut = cutAt.UnixMilli()
	}
	b, err := json.Marshal(state)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), lookupTimeout)
		defer cancel()
		err = s.g.cfg.Resumptions.SaveResumption(ctx, resumptionKey(s.g.cfg.Domain, state.Previd), account, b,
			s.g.cfg.Now().Add(life))
	}
	if err != nil {
		s.log().Warn("gateway: resumption not saved", "account", account, "error", err)
		snapshot = nil // nobody knows what is saved now
	}
	s.mu.Lock()
	s.sm.stored = string(snapshot)
	s.mu.Unlock()
	return err
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
	now := s.g.cfg.Now()
	if m.previd != "" && s.g.cfg.Resumptions != nil && (!e.elsewhere || s.isOurs()) {
		_ = s.store(m.max+expiryMargin, !e.elsewhere, now)
	}
	s.g.asleep.add(sleeper{
		binding: who, previd: id, handled: m.handled, aware: s.aware, node: s.g.node,
		hidden: p.Farewell() != nil, end: endOfHidden(now.Add(m.max), m.max), expires: now.Add(m.max + expiryMargin),
	}, func() (shown, doomed bool) {
		shown = p.Consent().Presence
		return shown, s.doomed.Load() || (!shown && !p.Settled())
	})
}

// isOurs reports whether the state changed since it was saved, and no other
// process has taken the session over meanwhile.
func (s *stream) isOurs() bool {
	s.mu.Lock()
	previd, stored := s.sm.previd, s.sm.stored
	now, err := s.policy.Snapshot()
	s.mu.Unlock()
	if err != nil || string(now) == stored {
		return false
	}
	state, err := s.g.load(context.WithoutCancel(s.ctx), previd)
	return err == nil && state != nil && state.Node == s.g.node
}

// forgetState deletes the state after a save that is under way.
func (s *stream) forgetState(previd string) {
	if s.g.cfg.Resumptions == nil {
		return
	}
	s.keeping.one.Lock()
	defer s.keeping.one.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), lookupTimeout)
	defer cancel()
	if err := s.g.cfg.Resumptions.DeleteResumption(ctx, resumptionKey(s.g.cfg.Domain, previd)); err != nil {
		s.log().Warn("gateway: resumption not forgotten", "error", err)
	}
}

// recall learns of the sessions that an earlier process left behind. It tries
// until it knows them or ctx ends; what is revoked before that is applied to
// them then.
func (g *Gateway) recall(ctx context.Context) {
	if g.cfg.Resumptions == nil {
		g.asleep.recalled(nil)
		return
	}
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		var left []sleeper
		err := g.cfg.Resumptions.EachResumption(ctx, func(account string, state []byte, expires time.Time) error {
			s, err := g.leftBehind(ctx, account, state, expires)
			if err == nil && s != nil {
				left = append(left, *s)
			}
			return err
		})
		if err == nil {
			g.asleep.recalled(left)
			return
		}
		g.log.Warn("gateway: waiting sessions not known yet", "error", err)
		if !pause(ctx, wait) {
			return
		}
	}
}

// leftBehind makes a sleeper of a saved state, nil if it is not one. What has
// no time of a cut may be a stream that another process still holds: its end
// is left to that one for as long as it needs.
func (g *Gateway) leftBehind(ctx context.Context, account string, b []byte, expires time.Time) (*sleeper, error) {
	state := saved{}
	if json.Unmarshal(b, &state) != nil || state.Previd == "" || state.Node == g.node {
		return nil, nil
	}
	c, err := g.consent(ctx, account)
	if err != nil {
		return nil, err
	}
	m := time.Duration(state.Max) * time.Second
	s := &sleeper{
		binding: binding{account, state.Session, state.Credential}, previd: state.Previd, handled: state.Handled,
		node: state.Node, aware: state.Aware, shown: c.Presence, expires: expires,
	}
	if state.Cut != 0 {
		s.end = endOfHidden(time.UnixMilli(state.Cut).Add(m), m)
	} else {
		s.patience = g.limits.Grace + g.limits.Goodbye
	}
	p, err := g.revive(account, &state, c)
	if err != nil { // it shows more than it may, or nobody could resume it
		s.shown, s.condemned, s.end = true, true, g.cfg.Now().Add(s.patience)
		return s, nil
	}
	s.hidden = state.Cut != 0 && p.Farewell() != nil
	return s, nil
}

// revive reads the policy's part of a state as it would be under c.
func (g *Gateway) revive(account string, state *saved, c policy.Consent) (*policy.Stream, error) {
	return policy.Restore(policy.Config{
		Identity: policy.Identity{Account: account, Bare: state.Username + "@" + g.cfg.Domain, Domain: g.cfg.Domain},
		Consent:  c, Aware: state.Aware, Rand: g.cfg.Rand,
	}, state.Policy)
}

// obeys reports whether a session shows no more than it may now.
func (g *Gateway) obeys(ctx context.Context, account string, state *saved) bool {
	c, err := g.consent(ctx, account)
	if err != nil {
		return false
	}
	_, err = g.revive(account, state, c)
	return err == nil
}

// resumptionKey is under which the state of a session is kept.
func resumptionKey(domain, previd string) []byte {
	sum := sha256.Sum256([]byte("trunkline resumption\x00" + domain + "\x00" + previd))
	return sum[:]
}

// pause reports false when ctx has ended before d was over.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
