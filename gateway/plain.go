package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"

	"mellium.im/xmpp/jid"
)

// maxSecret is the longest secret that is looked up; XMPP servers refuse
// longer ones too.
const maxSecret = 1000

// Refusals of a SASL PLAIN message, by their condition in RFC 6120 section 6.5.
var (
	errIncorrectEncoding = errors.New("incorrect-encoding")
	errMalformedRequest  = errors.New("malformed-request")
	errInvalidAuthzid    = errors.New("invalid-authzid")
)

// plain is a SASL PLAIN message (RFC 4616): who logs in, and with what.
type plain struct {
	username string // prepared localpart
	secret   []byte
}

// parsePlain reads the base64 of an initial response. An authorization
// identity must be the login itself, alone or with the domain. The text is
// not kept.
func parsePlain(text []byte, domain string) (plain, error) {
	message := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(message, text)
	if err != nil {
		clear(message)
		return plain{}, errIncorrectEncoding
	}
	defer clear(message)
	parts := bytes.Split(message[:n], []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 || len(parts[2]) == 0 || len(parts[2]) > maxSecret {
		return plain{}, errMalformedRequest
	}
	authzid, authcid := string(parts[0]), string(parts[1])
	address, err := jid.New(authcid, domain, "")
	if err != nil || address.Localpart() == "" {
		return plain{}, errMalformedRequest
	}
	if authzid != "" && authzid != authcid && authzid != authcid+"@"+domain &&
		authzid != address.Localpart() && authzid != address.String() {
		return plain{}, errInvalidAuthzid
	}
	return plain{username: address.Localpart(), secret: bytes.Clone(parts[2])}, nil
}

// appendAuth appends the one <auth/> that the server may see: PLAIN, without
// authorization identity.
func (p plain) appendAuth(b []byte) []byte {
	message := make([]byte, 0, 2+len(p.username)+len(p.secret))
	message = append(message, 0)
	message = append(message, p.username...)
	message = append(message, 0)
	message = append(message, p.secret...)
	const start, end = "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>", "</auth>"
	b = slices.Grow(b, len(start)+base64.StdEncoding.EncodedLen(len(message))+len(end)) // it must not move: nobody would clear the old one
	b = append(b, start...)
	b = base64.StdEncoding.AppendEncode(b, message)
	clear(message)
	return append(b, end...)
}

// forget overwrites the secret.
func (p *plain) forget() {
	clear(p.secret)
	p.secret = nil
}
