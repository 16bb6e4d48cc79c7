package main

import (
	"context"
	"errors"
	"time"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/audit"
	"github.com/trunkline-chat/trunkline/tokens/backend"
	"github.com/trunkline-chat/trunkline/tokens/backend/ldap"
	"github.com/trunkline-chat/trunkline/tokens/mastodondb"
	"github.com/trunkline-chat/trunkline/webclient"
)

// rosterGroup is the group that imported people stand in.
const rosterGroup = "Mastodon"

// What each part asks for, and who answers.
var (
	_ gateway.Credentials      = (*tokens.Service)(nil)
	_ gateway.Issuer           = (*tokens.Service)(nil)
	_ gateway.Consents         = (*node)(nil)
	_ gateway.Resumptions      = (*resumptions)(nil)
	_ backend.Verifier         = verifier{}
	_ backend.Feed             = feed{}
	_ webclient.Issuer         = (*tokens.Service)(nil)
	_ webclient.Importer       = (*node)(nil)
	_ webclient.DeviceKeeper   = deviceKeeper{}
	_ backend.Recorder         = recorder{}
	_ backend.Access           = access{}
	_ backend.Membership       = (*webclient.Rooms)(nil)
	_ backend.Fallback         = (*mastodondb.Checker)(nil)
	_ ldap.Core                = (*backend.Core)(nil)
	_ webclient.ConsentWatcher = (*gateway.Gateway)(nil).ConsentChanged
)

// revoked closes the streams that hang on what was revoked.
func (n *node) revoked(kind, subject, reason string) {
	switch kind {
	case "credential":
		n.gateway.CloseCredential(subject, reason)
	case "session":
		n.gateway.CloseSession(subject, reason)
	case "account":
		n.gateway.CloseAccount(subject, reason)
	default:
		n.log.Error("a revocation of an unknown kind", "kind", kind)
	}
}

// Consent tells the gateway what a person agreed to show; the web side keeps it.
func (n *node) Consent(ctx context.Context, account string) (presence, typing, receipts bool, err error) {
	return n.web.Consent(ctx, account)
}

// verifier answers the fronts from tokens.
type verifier struct{ *tokens.Service }

func (v verifier) Check(ctx context.Context, service, username, secret, front, from string) (
	ok bool, reason, account, session, credential string, err error) {
	found, err := v.Service.Check(ctx, tokens.Attempt{
		Service: service, Username: username, Secret: secret, Front: front, From: from,
	})
	return found.OK, found.Reason, found.Account, found.Session, found.Credential, err
}

// feed tells the fronts what ended.
type feed struct{ *tokens.Service }

func (f feed) Feed(ctx context.Context, after int64, limit int) (ended []backend.Ended, last int64, err error) {
	entries, last, err := f.Service.Feed(ctx, after, limit)
	for _, e := range entries {
		ended = append(ended, backend.Ended{
			Kind: e.Kind, Subject: e.Subject, User: e.Username, Account: e.Account, Reason: e.Reason,
		})
	}
	return ended, last, err
}

// errNotAsked is what an admin's command that has no web side says of Mastodon:
// what hangs on its word now is refused, not let pass.
var errNotAsked = errors.New("this command does not ask Mastodon")

// recheck asks Mastodon, through the web side, which holds its tokens.
func (n *node) recheck(ctx context.Context, account string) error {
	if n.web == nil {
		return errNotAsked
	}
	return n.web.Recheck(ctx, account)
}

func (n *node) lookupName(ctx context.Context, username string) (bool, error) {
	if n.web == nil {
		return false, errNotAsked
	}
	return n.web.LookupName(ctx, username)
}

// gatewayResources are a person's streams through this gateway that stay.
func (n *node) gatewayResources(username string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	a, found, err := n.tokens.AccountNamed(ctx, username)
	if err != nil || !found {
		return nil
	}
	return n.gateway.Resources(a.ID)
}

// refused says whether a person whom Mastodon's database lets in stays out: they
// are blocked or suspended here, or name and account do not belong together. A
// name that came back under another id must not open the chat of its former owner.
func (n *node) refused(ctx context.Context, username, id string) (bool, error) {
	named, found, err := n.tokens.AccountNamed(ctx, username)
	switch {
	case err != nil:
		return false, err
	case found:
		return named.ID != id || !named.Blocked.IsZero() || !named.Suspended.IsZero(), nil
	}
	_, renamed, err := n.tokens.AccountByID(ctx, id)
	return renamed, err
}

// access makes and knows access tokens for the OAuth front.
type access struct{ *tokens.Service }

func (a access) MintAccess(ctx context.Context, service, username, secret, front, from string) (
	token string, expires time.Time, ok bool, reason, account, credential string, err error) {
	token, expires, v, err := a.Service.MintAccess(ctx, tokens.Attempt{
		Service: service, Username: username, Secret: secret, Front: front, From: from,
	})
	return token, expires, v.OK, v.Reason, v.Account, v.Credential, err
}

// recorder keeps what the fronts decided.
type recorder struct{ *audit.Log }

func (r recorder) Record(e backend.Event) { r.Log.Record(audit.Event(e)) }

// recordAdmin keeps what was done to a person's passwords, by themselves in the
// panel or by an admin on the command line.
func (n *node) recordAdmin(op, username, account, credential, outcome, reason string) {
	n.audit.Record(audit.Event{
		Front: n.front, Op: op, Username: username, Account: account, Credential: credential, Outcome: outcome, Reason: reason,
	})
}

// recordStanding keeps that Mastodon has refused a person, or welcomed them again.
func (n *node) recordStanding(op, username, account, outcome, reason string) {
	n.audit.Record(audit.Event{Front: "mastodon", Op: op, Username: username, Account: account, Outcome: outcome, Reason: reason})
}

// deviceKeeper keeps the device passwords that people make in the panel.
type deviceKeeper struct{ *tokens.Service }

func (k deviceKeeper) IssueDevice(ctx context.Context, account, service, name string) (webclient.Device, string, error) {
	d, secret, err := k.Service.IssueDevice(ctx, account, service, name)
	switch {
	case errors.Is(err, tokens.ErrBadName):
		err = webclient.ErrBadDeviceName
	case errors.Is(err, tokens.ErrBadService):
		err = webclient.ErrBadService
	case errors.Is(err, tokens.ErrTooManyDevices):
		err = webclient.ErrTooManyDevices
	case errors.Is(err, tokens.ErrStandingUnknown):
		err = webclient.ErrCannotTell
	case errors.Is(err, tokens.ErrSuspended):
		err = webclient.ErrSuspended
	case errors.Is(err, tokens.ErrBlocked):
		err = webclient.ErrBlocked
	}
	return shownDevice(d), secret, err
}

func (k deviceKeeper) Devices(ctx context.Context, account string) ([]webclient.Device, error) {
	list, err := k.Service.Devices(ctx, account)
	shown := make([]webclient.Device, len(list))
	for i, d := range list {
		shown[i] = shownDevice(d)
	}
	return shown, err
}

func shownDevice(d tokens.Device) webclient.Device {
	out := webclient.Device{
		ID: d.ID, Name: d.Name, Service: d.Service, Login: d.AuthName,
		Created: d.Created, LastUsedFrom: d.LastUsedFrom, LastUsedBy: d.LastUsedBy,
	}
	if !d.LastUsed.IsZero() {
		out.LastUsed = &d.LastUsed
	}
	return out
}

// AddContacts runs an import as a short session of that person, with a password
// that is made for it.
func (n *node) AddContacts(ctx context.Context, account string, jids, names []string, subscribe []bool,
	report func(i int, status, reason string) error) error {
	username, secret, err := n.tokens.IssueInternal(ctx, account)
	if err != nil {
		return err
	}
	return n.gateway.AddContacts(ctx, username, secret, jids, names, subscribe, rosterGroup, report)
}
