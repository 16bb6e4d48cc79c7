package webclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// issuer is a double of the credentials' issuer.
type issuer struct {
	now func() time.Time

	mu      sync.Mutex
	issued  []string // sessions
	revoked []string // "session ID" or "account ID"
	fail    error    // of the next calls
	during  func()   // called while issuing
	ended   func()   // called after an account was revoked
}

func newIssuer(now func() time.Time) *issuer { return &issuer{now: now} }

func (i *issuer) IssueTemporary(ctx context.Context, account, session string) (string, time.Time, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fail != nil {
		return "", time.Time{}, i.fail
	}
	i.issued = append(i.issued, session)
	if i.during != nil {
		i.mu.Unlock()
		i.during()
		i.mu.Lock()
	}
	return fmt.Sprintf("tlt_secret%d", len(i.issued)), i.now().Add(2 * time.Minute), ctx.Err()
}

func (i *issuer) RevokeSession(_ context.Context, session, _ string) error {
	return i.revoke("session " + session)
}

func (i *issuer) RevokeAccount(_ context.Context, account, _ string) error {
	if err := i.revoke("account " + account); err != nil || i.ended == nil {
		return err
	}
	i.ended()
	return nil
}

func (i *issuer) EndAccount(_ context.Context, account, _ string) error {
	return i.revoke("streams of " + account)
}

func (i *issuer) revoke(what string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fail != nil {
		return i.fail
	}
	i.revoked = append(i.revoked, what)
	return nil
}

func (i *issuer) set(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fail = err
}

func (i *issuer) hasRevoked(what string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Contains(i.revoked, what)
}

// importer is a double of the gateway's contact session: a roster, and ways to fail.
type importer struct {
	mu     sync.Mutex
	roster map[string]int // how often a JID was added
	names  map[string]string
	asked  []string        // JIDs with a subscription request
	down   bool            // no session comes about
	breaks map[string]bool // sessions end at this JID
	refuse map[string]bool // the server refuses this JID
	silent map[string]bool // no word on this JID
	step   func(n int) error
	calls  int
}

var errXMPPDown = errors.New("gateway: connection refused")

func newImporter() *importer {
	return &importer{roster: map[string]int{}, names: map[string]string{}, breaks: map[string]bool{},
		refuse: map[string]bool{}, silent: map[string]bool{}}
}

func (im *importer) AddContacts(ctx context.Context, _ string, jids, names []string, subscribe []bool,
	report func(i int, status, reason string) error) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.calls++
	if im.down {
		return errXMPPDown
	}
	for n, jid := range jids {
		if err := ctx.Err(); err != nil {
			return err
		}
		if im.step != nil {
			if err := im.step(len(im.roster)); err != nil {
				return err
			}
		}
		status, reason := "added", ""
		switch {
		case im.breaks[jid]:
			return errors.New("gateway: stream ended")
		case im.silent[jid]:
			continue
		case im.refuse[jid]:
			status, reason = "failed", "The chat server refused this address."
		case im.roster[jid] > 0:
			status = "already"
		default:
			im.roster[jid]++
			im.names[jid] = names[n]
			if subscribe[n] {
				im.asked = append(im.asked, jid)
			}
		}
		if err := report(n, status, reason); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) change(f func()) {
	im.mu.Lock()
	defer im.mu.Unlock()
	f()
}

var (
	_ Issuer   = (*issuer)(nil)
	_ Importer = (*importer)(nil)
)
