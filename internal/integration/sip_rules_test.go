package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

const (
	registrar = "sip:example.org"
	alicesURI = "sip:alice@example.org"
	bobsURI   = "sip:bob@example.org"
)

// knock registers alice without a password and returns the challenge.
func (p *rawPhone) knock(callID string) sipReply {
	p.t.Helper()
	r := p.send(p.request("REGISTER", registrar, alicesURI, "<"+alicesURI+">", callID))
	require.Equal(p.t, 401, r.code)
	return r
}

// register registers alice and returns the answer to the password.
func (p *rawPhone) register(callID, name, secret string) sipReply {
	p.t.Helper()
	proof := p.knock(callID).answer(p.t, "REGISTER", registrar, name, secret)
	return p.send(p.request("REGISTER", registrar, alicesURI, "<"+alicesURI+">", callID, "Expires: 86400", proof))
}

func TestSIPAnswersCountOnceAndRegistrationsEndSoon(t *testing.T) {
	p := onSQLite(t, KamailioConfig{})
	device, secret := p.phone("1")
	phone := newRawPhone(t, p.Addr())
	proof := phone.knock("once").answer(t, "REGISTER", registrar, device.AuthName, secret)
	again := phone.request("REGISTER", registrar, alicesURI, "<"+alicesURI+">", "once", "Expires: 86400", proof)
	first := phone.send(again)
	require.Equal(t, 200, first.code)
	assert.Contains(t, first.header.Get("Contact"), "expires=300")
	assert.Equal(t, 200, phone.send(again).code, "the same packet again is the same request")
	thief := newRawPhone(t, p.Addr())
	r := thief.send(thief.request("REGISTER", registrar, alicesURI, "<"+alicesURI+">", "thief", proof))
	assert.Equal(t, 401, r.code, "an answer that was overheard")
	assert.Equal(t, 200, phone.register("anew", device.AuthName, secret).code)
	assert.Equal(t, 200, phone.register("withdomain", device.AuthName, secret).code)
}

func TestSIPPhonesThatPutTheDomainIntoTheName(t *testing.T) {
	p := onSQLite(t, KamailioConfig{})
	device, secret := p.phone("1")
	phone := newRawPhone(t, p.Addr())
	assert.Equal(t, 200, phone.register("long", device.AuthName+"@example.org", secret).code)
	assert.Equal(t, 401, phone.register("other", device.AuthName+"@example.com", secret).code)
}

func TestSIPOverTLSAndByTheServersName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sip.pem") // certificate and key
	require.NoError(t, writeCertificate(file, "example.org"))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(text))
	p := onSQLite(t, KamailioConfig{Certificate: file, Key: file})
	device, secret := p.phone("1")
	phone := newTLSPhone(t, p.TLSAddr(), &tls.Config{RootCAs: pool, ServerName: "sip.example.org"})
	assert.Equal(t, 200, phone.register("domain", device.AuthName, secret).code)
	assert.Equal(t, 401, phone.register("wrong", device.AuthName, "wrong").code)

	// The panel tells people the server's name: sip:alice@sip.example.org.
	const uri, address = "sip:sip.example.org", "sip:alice@sip.example.org"
	challenge := phone.send(phone.request("REGISTER", uri, address, "<"+address+">", "server"))
	proof := challenge.answer(t, "REGISTER", uri, device.AuthName, secret)
	assert.Equal(t, 200, phone.send(phone.request("REGISTER", uri, address, "<"+address+">", "server", proof)).code)
	challenge = phone.send(phone.request("INVITE", "sip:bob@sip.example.org", address, "<sip:bob@sip.example.org>", "call"))
	proof = challenge.answer(t, "INVITE", "sip:bob@sip.example.org", device.AuthName, secret)
	assert.Equal(t, 480, phone.send(phone.request("INVITE", "sip:bob@sip.example.org", address, "<sip:bob@sip.example.org>", "call", proof)).code)
	_, err = tls.Dial("tcp", p.TLSAddr(), &tls.Config{RootCAs: pool, ServerName: "sip.example.org", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	assert.Error(t, err)
}

func TestSIPStrangersAreNotServed(t *testing.T) {
	p := onSQLite(t, KamailioConfig{})
	alices, secret := p.phone("1")
	phone := newRawPhone(t, p.Addr())
	require.Equal(t, 200, phone.register("here", alices.AuthName, secret).code)
	outside := newRawPhone(t, p.Addr()) // must never hear anything of this
	victim := "sip:victim@" + outside.conn.LocalAddr().String()
	invite := func(uri, from, to string, headers ...string) sipReply {
		return phone.send(phone.request("INVITE", uri, from, "<"+to+">", "call"+strconv.Itoa(len(headers))+uri[4:8]+from[4:7], headers...))
	}
	challenge := invite(bobsURI, alicesURI, bobsURI)
	require.Equal(t, 407, challenge.code)
	proof := challenge.answer(t, "INVITE", bobsURI, alices.AuthName, secret)
	assert.Equal(t, 480, invite(bobsURI, alicesURI, bobsURI, proof).code, "bob has no phone on")
	for name, from := range map[string]string{"bob's name": bobsURI, "another domain": "sip:alice@example.com"} {
		challenge := invite(bobsURI, from, bobsURI)
		require.Equal(t, 407, challenge.code)
		proof := challenge.answer(t, "INVITE", bobsURI, alices.AuthName, secret)
		assert.Equal(t, 403, invite(bobsURI, from, bobsURI, proof).code, name)
	}
	assert.Equal(t, 403, invite(victim, alicesURI, victim).code, "another domain")
	assert.Equal(t, 403, phone.send(phone.request("MESSAGE", "sip:x@example.com", alicesURI, "<sip:x@example.com>", "msg")).code)
	assert.Equal(t, 407, phone.send(phone.request("MESSAGE", bobsURI, alicesURI, "<"+bobsURI+">", "msg2")).code)
	assert.Equal(t, 405, phone.send(phone.request("SUBSCRIBE", bobsURI, alicesURI, "<"+bobsURI+">", "sub")).code)
	assert.Equal(t, 404, phone.send(phone.request("REGISTER", "sip:example.com", "sip:alice@example.com", "<sip:alice@example.com>", "reg")).code)

	// Requests that pretend to belong to a call.
	route := "Route: <sip:" + p.Addr() + ";lr>"
	assert.Equal(t, 481, phone.send(phone.request("INVITE", victim, alicesURI, "<"+victim+">;tag=forged", "dlg1", route)).code)
	assert.Equal(t, 481, phone.send(phone.request("MESSAGE", victim, alicesURI, "<"+victim+">;tag=forged", "dlg2", route)).code)
	assert.Equal(t, 404, phone.send(phone.request("INVITE", victim, alicesURI, "<"+victim+">;tag=forged", "dlg3")).code)
	around := "Route: <sip:" + outside.conn.LocalAddr().String() + ";lr>"
	assert.Equal(t, 407, phone.send(phone.request("INVITE", bobsURI, alicesURI, "<"+bobsURI+">", "preloaded", around)).code)
	require.NoError(t, outside.conn.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	n, err := outside.conn.Read(make([]byte, 100))
	assert.Error(t, err)
	assert.Zero(t, n)
}

func TestSIPRevokedPhonesCallNobody(t *testing.T) {
	p := onSQLite(t, KamailioConfig{})
	device, secret := p.phone("1")
	phone := newRawPhone(t, p.Addr())
	require.Equal(t, 200, phone.register("here", device.AuthName, secret).code)
	call := func(id string) int {
		challenge := phone.send(phone.request("INVITE", bobsURI, alicesURI, "<"+bobsURI+">", id))
		proof := challenge.answer(t, "INVITE", bobsURI, device.AuthName, secret)
		return phone.send(phone.request("INVITE", bobsURI, alicesURI, "<"+bobsURI+">", id, proof)).code
	}
	assert.Equal(t, 480, call("before"))
	_, err := p.tokens.RevokeDevice(t.Context(), "1", device.ID, "lost")
	require.NoError(t, err)
	assert.Equal(t, 407, call("after"))
	assert.Equal(t, 401, phone.register("again", device.AuthName, secret).code)

	// It rings until it must renew, or until somebody says otherwise.
	bobs, bobsSecret := p.phone("2")
	other := newRawPhone(t, p.Addr())
	reach := func(id string) sipReply {
		first := other.send(other.request("OPTIONS", alicesURI, bobsURI, "<"+alicesURI+">", id))
		return other.send(other.request("OPTIONS", alicesURI, bobsURI, "<"+alicesURI+">", id, first.answer(t, "OPTIONS", alicesURI, bobs.AuthName, bobsSecret)))
	}
	out, err := exec.CommandContext(t.Context(), "kamcmd", "-s", "unixs:"+p.path("run/kamailio_ctl"), "ul.dump").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "AoR: alice")
	out, err = exec.CommandContext(t.Context(), "kamcmd", "-s", "unixs:"+p.path("run/kamailio_ctl"), "ul.rm", "location", "alice").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, 480, reach("gone").code)
}

func TestSIPWithSHA256(t *testing.T) {
	p := onSQLite(t, KamailioConfig{SHA256: true})
	device, secret := p.phone("1")
	phone := newRawPhone(t, p.Addr())
	assert.Contains(t, phone.knock("which").header.Get("WWW-Authenticate"), "algorithm=SHA-256")
	assert.Equal(t, 200, phone.register("right", device.AuthName, secret).code)
	assert.Equal(t, 200, phone.register("long", device.AuthName+"@example.org", secret).code)
	assert.Equal(t, 401, phone.register("wrong", device.AuthName, "wrong").code)
	_, err := p.tokens.RevokeDevice(t.Context(), "1", device.ID, "lost")
	require.NoError(t, err)
	assert.Equal(t, 401, phone.register("revoked", device.AuthName, secret).code)
}

func TestSIPReadsNothingButTheView(t *testing.T) {
	p := onPostgres(t, KamailioConfig{})
	device, secret := p.phone("1")
	role := roleOf(p.cfg.Postgres)
	for _, table := range []string{"accounts", "credentials", "sip_digests", "sessions"} {
		var may bool
		require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT coalesce(has_table_privilege($1, to_regclass($2), 'SELECT'), false)`, role, table).Scan(&may))
		assert.False(t, may, table)
	}
	var may bool
	require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT has_table_privilege($1, 'subscriber', 'INSERT, UPDATE, DELETE, TRUNCATE')`, role).Scan(&may))
	assert.False(t, may)

	// A database that cannot be asked is not a wrong password.
	phone := newRawPhone(t, p.Addr())
	require.Equal(t, 200, phone.register("before", device.AuthName, secret).code)
	p.exec("REVOKE SELECT ON subscriber FROM " + role)
	r := phone.register("while", device.AuthName, secret)
	assert.Equal(t, 503, r.code)
	assert.Equal(t, "30", r.header.Get("Retry-After"))
	p.exec("GRANT SELECT ON subscriber TO " + role)
	assert.Equal(t, 200, phone.register("after", device.AuthName, secret).code)
}

// TestViewsForAsteriskHoldWhatTheySay runs the SQL of docs/sip.md; Asterisk
// itself is not in Debian.
func TestViewsForAsteriskHoldWhatTheySay(t *testing.T) {
	page, err := os.ReadFile("../../docs/sip.md")
	require.NoError(t, err)
	blocks := strings.Split(string(page), "```sql\n")
	require.Len(t, blocks, 3)
	statements, _, _ := strings.Cut(blocks[2], "```")
	store := sqldbtest.NewPostgres(t)
	p := openStore(t, store)
	role := "asterisk_" + store[strings.LastIndex(store, "/")+1:]
	role, _, _ = strings.Cut(role, "?")
	statements = strings.NewReplacer("ROLE asterisk", "ROLE "+role, "TO asterisk;", "TO "+role+";").Replace(statements)
	p.exec(statements)
	t.Cleanup(func() {
		_, err := p.db.ExecContext(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role)
		require.NoError(t, err)
	})
	device, _ := p.phone("1")
	p.phone("1")
	gone, _ := p.phone("2")
	_, err = p.tokens.RevokeDevice(t.Context(), "2", gone.ID, "lost")
	require.NoError(t, err)
	var phones, people int
	require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT count(*) FROM asterisk.ps_auths a JOIN asterisk.ps_endpoints e ON e.auth = a.id AND e.aors = 'alice'`).Scan(&phones))
	require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT count(*) FROM asterisk.ps_aors`).Scan(&people))
	assert.Equal(t, []int{2, 1}, []int{phones, people})
	var hash, kept string
	require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT md5_cred FROM asterisk.ps_auths WHERE username = $1`, device.AuthName).Scan(&hash))
	require.NoError(t, p.db.QueryRowContext(t.Context(), `SELECT ha1 FROM sip_digests WHERE credential_id = $1`, device.ID).Scan(&kept))
	assert.Equal(t, kept, hash)
}

func roleOf(url string) string {
	role, _, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), ":")
	return role
}

// TestSIPReadsSQLiteWithoutWriting: with the permissions of docs/sip.md, where
// the tests may use another user at all.
func TestSIPReadsSQLiteWithoutWriting(t *testing.T) {
	cfg := KamailioConfig{}
	if _, err := user.Lookup("kamailio"); err == nil && os.Getuid() == 0 {
		cfg.User = "kamailio"
	}
	p := onSQLite(t, cfg)
	device, secret := p.phone("1")
	phone := newRawPhone(t, p.Addr())
	assert.Equal(t, 200, phone.register("right", device.AuthName, secret).code)
	second, secondSecret := p.phone("1")
	assert.Equal(t, 200, phone.register("new", second.AuthName, secondSecret).code, "made after Kamailio opened the file")
	assert.Equal(t, 401, phone.register("wrong", device.AuthName, "wrong").code)
}
