package ldap

import (
	"crypto/tls"
	"io"
	"slices"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (d *directory) trust() *tls.Config {
	return &tls.Config{RootCAs: d.authority, ServerName: "localhost"}
}

func TestStartTLSAndLDAPS(t *testing.T) {
	d := start(t, func(c *Config) { c.RequireTLS = true })
	starts := d.dial(t)
	assert.Equal(t, goldap.LDAPResultConfidentialityRequired, code(starts.Bind(serviceDN, serviceSecret)))
	assert.Equal(t, goldap.LDAPResultConfidentialityRequired, code(starts.Bind(alice, "alice-phone")))
	_, err := starts.Search(search("(uid=alice)"))
	assert.Equal(t, goldap.LDAPResultConfidentialityRequired, code(err))
	assert.Empty(t, d.core.questions(), "no password was looked at")
	require.NoError(t, starts.StartTLS(d.trust()))

	implicit, err := goldap.DialURL("ldaps://"+d.tls, goldap.DialWithTLSConfig(d.trust()))
	require.NoError(t, err)
	defer implicit.Close()
	for _, client := range []*goldap.Conn{starts, implicit} {
		state, ok := client.TLSConnectionState()
		require.True(t, ok)
		assert.GreaterOrEqual(t, state.Version, uint16(tls.VersionTLS12))
		require.NoError(t, client.Bind(alice, "alice-phone"))
		require.NoError(t, client.Bind(serviceDN, serviceSecret))
		result, err := client.Search(search("(uid=bob)"))
		require.NoError(t, err)
		assert.Equal(t, bob, found(result))
		_, err = client.Extended(&goldap.ExtendedRequest{Name: oidStartTLS})
		assert.Equal(t, goldap.LDAPResultOperationsError, code(err), "TLS within TLS")
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	d := start(t, nil)
	assert.Error(t, d.dial(t).StartTLS(&tls.Config{ServerName: "localhost"}))
	_, err := goldap.DialURL("ldaps://"+d.tls, goldap.DialWithTLSConfig(&tls.Config{RootCAs: d.authority, MaxVersion: tls.VersionTLS11, ServerName: "localhost"}))
	assert.Error(t, err, "TLS 1.1")
}

func TestWithoutACertificateThereIsNoTLS(t *testing.T) {
	d := start(t, func(c *Config) { c.TLS = nil })
	assert.Equal(t, goldap.LDAPResultProtocolError, code(d.dial(t).StartTLS(d.trust())))
	require.NoError(t, d.dial(t).Bind(alice, "alice-phone"))
	assert.Error(t, d.Serve(t.Context(), newPipes(), true))
}

// startTLSOp is the request for TLS.
func startTLSOp() *ber.Packet {
	return application(goldap.ApplicationExtendedRequest, contextString(0, oidStartTLS))
}

func TestWhoWasBoundBeforeTLSIsNobodyAfter(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	require.NoError(t, client.StartTLS(d.trust()))
	_, err := client.Search(search("(uid=alice)"))
	assert.Equal(t, goldap.LDAPResultInsufficientAccessRights, code(err))
}

func TestWordsPutBeforeTLSAreNotHeardInside(t *testing.T) {
	d := start(t, nil)
	r := d.raw(t)
	r.send(t, slices.Concat(message(1, startTLSOp()), message(2, bindOp(3, alice, "alice-phone"))))
	r.expectEnd(t)
	assert.Empty(t, d.core.questions())
}

func TestStartTLSWithAValueIsRefused(t *testing.T) {
	d := start(t, nil)
	r := d.raw(t)
	for id, oid := range map[int64]string{1: oidStartTLS, 2: oidWhoAmI} {
		r.send(t, message(id, application(goldap.ApplicationExtendedRequest, contextString(0, oid), contextString(1, "x"))))
		r.expect(t, id, goldap.ApplicationExtendedResponse, goldap.LDAPResultProtocolError)
	}
}

func TestFailedHandshakesHarmNobody(t *testing.T) {
	d := start(t, nil)
	plain := raw{Conn: d.raw(t)}
	plain.send(t, message(1, startTLSOp()))
	plain.expect(t, 1, goldap.ApplicationExtendedResponse, 0)
	plain.send(t, []byte("no handshake at all, but long enough to be looked at\n"))
	_, _ = io.ReadAll(plain) // an alert, perhaps a reset
	implicit := d.raw(t)
	implicit.Conn.Close()
	require.NoError(t, d.dial(t).Bind(alice, "alice-phone"))
}
