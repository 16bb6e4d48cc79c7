package gateway

import (
	"slices"
	"strings"
)

// Accounts lists the accounts that have a live stream here, each once, sorted.
func (g *Gateway) Accounts() []string {
	r := g.streams
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]string, 0, len(r.byAccount))
	for account := range r.byAccount {
		list = append(list, account)
	}
	slices.Sort(list)
	return list
}

// Resources lists the resources (RFC 6120 section 7) of an account's sessions
// that go through this gateway and are to stay: those of live streams that
// nothing has revoked. Who ends an account's other sessions spares them.
func (g *Gateway) Resources(account string) []string {
	var list []string
	for _, s := range g.streams.of(byAccount, account) {
		if s.doomed.Load() || s.isOver() {
			continue
		}
		s.mu.Lock()
		p := s.policy
		s.mu.Unlock()
		if p == nil {
			continue
		}
		if _, resource, ok := strings.Cut(p.JID(), "/"); ok {
			list = append(list, resource)
		}
	}
	slices.Sort(list)
	return list
}
