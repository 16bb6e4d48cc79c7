package ldap

import (
	"context"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// front is this front's name in the audit log.
const front = "ldap"

var (
	unprotected = result{goldap.LDAPResultConfidentialityRequired, "use StartTLS or LDAPS"}
	wrong       = result{code: goldap.LDAPResultInvalidCredentials}
	unavailable = result{goldap.LDAPResultUnavailable, "this cannot be told at the moment"}
	busy        = result{goldap.LDAPResultBusy, "too much was asked; try again later"}
)

// bind answers a bind (RFC 4511 section 4.2). Whatever the result, the
// connection is nobody's until it is success.
func (c *conn) bind(ctx context.Context, r bindRequest) result {
	c.who = identity{}
	switch {
	case r.version != 3:
		return result{goldap.LDAPResultProtocolError, "only version 3 is spoken here"}
	case !r.simple:
		return result{goldap.LDAPResultAuthMethodNotSupported, "only simple bind is offered"}
	case r.name == "" && r.password == "": // anonymous, RFC 4513 section 5.1.1
		return success
	case r.password == "": // unauthenticated, section 5.1.2
		return result{goldap.LDAPResultUnwillingToPerform, "a name needs a password"}
	case c.server.requireTLS && !c.encrypted:
		return unprotected
	}
	dn, err := parseDN(r.name)
	if err != nil {
		return result{goldap.LDAPResultInvalidDNSyntax, "this is not a distinguished name"}
	}
	if dn.EqualFold(c.server.serviceDN) {
		return c.bindService(ctx, r.password)
	}
	name, ok := c.server.person(dn)
	if !ok {
		return wrong
	}
	return c.bindPerson(ctx, name, r.password)
}

func (c *conn) bindService(ctx context.Context, password string) result {
	if !c.server.isServiceSecret(password) {
		c.server.log.WarnContext(ctx, "ldap: a wrong password for the service account", "from", c.from())
		c.server.core.Record(backend.Event{
			Front: front, Caller: c.from(), Op: "service", Outcome: string(backend.No), Reason: "unknown_secret",
		})
		return wrong
	}
	c.who = identity{service: true}
	c.trusted.Store(true)
	return success
}

func (c *conn) bindPerson(ctx context.Context, name, password string) result {
	q := c.question(name)
	q.Secret = password
	r := c.server.core.Auth(ctx, q)
	switch {
	case r.Answer == backend.Yes:
		c.who = identity{person: name, until: c.server.now().Add(personTime)}
		return success
	case r.Answer == backend.No:
		return wrong
	case r.Reason == backend.ReasonThrottled, r.Reason == backend.ReasonBusy:
		return busy
	default:
		return unavailable
	}
}

// question is about one person. The person's own address is not known: who
// connects is the server that asks. Wrong answers are not held back: ejabberd
// checks everybody's passwords on one connection, and all of Prosody waits.
func (c *conn) question(name string) backend.Question {
	return backend.Question{Front: front, Caller: c.from(), Service: "xmpp", User: name, Prompt: true}
}
