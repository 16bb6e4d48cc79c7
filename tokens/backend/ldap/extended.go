package ldap

import (
	"context"
	"errors"

	goldap "github.com/go-ldap/ldap/v3"
)

const (
	oidStartTLS = "1.3.6.1.4.1.1466.20037"  // RFC 4511 section 4.14
	oidWhoAmI   = "1.3.6.1.4.1.4203.1.11.3" // RFC 4532
	oidPassword = "1.3.6.1.4.1.4203.1.11.1" // RFC 3062, password modify
)

// errInjected means that somebody has put words into the client's mouth: after
// the request for TLS nothing may come but the handshake, which cannot begin
// before our answer.
var errInjected = errors.New("ldap: unencrypted bytes after StartTLS")

// extended answers an extended operation (RFC 4511 section 4.12).
func (c *conn) extended(ctx context.Context, r request) error {
	refuse := func(code int64, text string) error {
		return c.write(r.id, encodeExtended(result{code, text}, "", nil))
	}
	switch r.extended.name {
	case oidWhoAmI:
		if r.extended.hasValue {
			return refuse(goldap.LDAPResultProtocolError, "this operation takes no value")
		}
		authzID := c.authzID()
		return c.write(r.id, encodeExtended(success, "", &authzID))
	case oidStartTLS:
		switch {
		case r.extended.hasValue:
			return refuse(goldap.LDAPResultProtocolError, "this operation takes no value")
		case c.server.tls == nil:
			return refuse(goldap.LDAPResultProtocolError, "TLS is not offered here")
		case c.encrypted: // section 4.14.1
			return refuse(goldap.LDAPResultOperationsError, "TLS is there already")
		}
		return c.startTLS(ctx, r.id)
	case oidPassword:
		return refuse(goldap.LDAPResultUnwillingToPerform, "passwords are made and revoked in Trunkline")
	default:
		return refuse(goldap.LDAPResultProtocolError, "this operation is not known here")
	}
}

// authzID is who the connection is bound as (RFC 4532 section 2.2, RFC 4513
// section 5.2.1.8). Nobody is "".
func (c *conn) authzID() string {
	switch {
	case c.who.service:
		return "dn:" + c.server.serviceText
	case c.who.person != "":
		return "dn:" + c.server.personDN(c.who.person)
	default:
		return ""
	}
}

// startTLS goes over to TLS. Who was bound is nobody again: it was said without
// protection.
func (c *conn) startTLS(ctx context.Context, id int64) error {
	if c.reader.Buffered() > 0 {
		return errInjected
	}
	if err := c.write(id, encodeExtended(success, oidStartTLS, nil)); err != nil {
		return err
	}
	c.who = identity{}
	if err := c.secure(ctx); err != nil {
		return err
	}
	c.reader.Reset(c.stream)
	return nil
}
