package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// panel is somebody who is signed in at one node.
type panel struct {
	t    *testing.T
	http *http.Client
}

// signInAt goes through the login of the node at address, whose public URL leads
// there for this browser alone.
func signInAt(t *testing.T, address, name string) *panel {
	t.Helper()
	b := mastodontest.NewBrowser(name)
	own := &http.Transport{DisableKeepAlives: true}
	own.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == "127.0.0.1:8080" {
			to = address
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
	b.Client().Transport = own
	p := &panel{t, b.Client()}
	res, _ := p.ask(http.MethodGet, "/auth/login?mode=popup", "")
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	callback, err := b.Authorize(t.Context(), res.Header.Get("Location"))
	require.NoError(t, err)
	_, page := p.ask(http.MethodGet, strings.TrimPrefix(callback, "http://127.0.0.1:8080"), "")
	require.Contains(t, page, `data-result="ok"`)
	return p
}

func (p *panel) ask(method, path, body string) (*http.Response, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	require.NoError(p.t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := p.http.Do(req)
	require.NoError(p.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	return res, string(text)
}

// shows changes whom presence is shown to. All nodes obey when it returns.
func (p *panel) shows(to string) {
	p.t.Helper()
	res, answer := p.ask(http.MethodPut, "/api/v1/consent",
		fmt.Sprintf(`{"presence":%q,"typing":false,"receipts":false,"text_version":1}`, to))
	require.Equal(p.t, http.StatusOK, res.StatusCode, answer)
	require.NotContains(p.t, answer, `"pending"`)
}

// TestWithdrawalAtAnotherNode: two nodes share a database. Alice's streams are at
// one, and she withdraws her consent at the other: nothing of her is seen any more,
// neither of the stream that lives nor of the one that was cut and waits.
func TestWithdrawalAtAnotherNode(t *testing.T) {
	instance := mastodontest.New(mastodontest.Options{Domain: "social.example"})
	origin, stop, err := instance.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(stop)
	xmpp, err := integration.FreePort()
	require.NoError(t, err)
	path := writeConfig(t, jsonLog)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("http://127.0.0.1:3000"), []byte(origin), 1)
	text = bytes.Replace(text, []byte("127.0.0.1:5222"), fmt.Appendf(nil, "127.0.0.1:%d", xmpp), 1)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	cfg, err := config.Load(path, func(string) string { return "" })
	require.NoError(t, err)
	one, two := startServing(t, path, nil), startServing(t, path, nil)
	prosody := integration.StartProsody(t, integration.ProsodyConfig{
		VerifyURL: "http://" + one.private + "/verify", VerifySecret: cfg.Secrets.VerifySecret.Reveal(),
		PrivacyLists: true, C2SPort: xmpp,
	})
	bobs := signInAt(t, one.public, "bob")
	alices := signInAt(t, two.public, "alice")
	alices.shows("contacts")
	bobs.shows("contacts")

	issuer, err := newNode(t.Context(), cfg, newLogger(cfg.Log, io.Discard))
	require.NoError(t, err)
	defer issuer.close()
	password := func(name string) string {
		secret, _, err := issuer.tokens.IssueTemporary(t.Context(), instance.AccountID(name), "s-"+name)
		require.NoError(t, err)
		return secret
	}
	of := func(jid, typ string) func(integration.Element) bool {
		return func(e integration.Element) bool {
			return e.Name.Local == "presence" && e.Attrs["from"] == jid && e.Attrs["type"] == typ
		}
	}
	online := func() (*browser, string) {
		b := one.dial(t)
		_, after, _ := strings.Cut(b.signIn("alice", password("alice")), "<jid>")
		jid, _, _ := strings.Cut(after, "</jid>")
		b.send(`<presence xmlns='jabber:client'/>`)
		return b, jid
	}
	alice, live := online()
	bob := integration.Connect(t, prosody, "bob", password("bob"), "raw")
	bob.Say("<presence/>")
	bob.Say("<presence type='subscribe' to='alice@social.example'/>")
	alice.expect("type='subscribe'")
	alice.send(`<presence xmlns='jabber:client' type='subscribed' to='bob@social.example'/>`)
	bob.Expect("alice", of(live, ""))

	// Another stream of hers is cut: bob sees it for as long as it may be resumed.
	other, asleep := online()
	bob.Expect("the other stream", of(asleep, ""))
	other.send(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
	other.expect("<enabled")
	require.NoError(t, other.conn.CloseNow())
	await(t, func() bool {
		_, metrics := one.get(one.private, "/metrics")
		return strings.Contains(metrics, "trunkline_gateway_waiting_sessions 1\n")
	})
	for _, e := range bob.Sync() {
		require.False(t, of(asleep, "unavailable")(e), e.XML)
	}

	alices.shows("nobody")
	gone := map[string]bool{}
	for len(gone) < 2 {
		e := bob.Expect("her streams leaving", func(e integration.Element) bool {
			return of(live, "unavailable")(e) || of(asleep, "unavailable")(e)
		})
		gone[e.Attrs["from"]] = true
	}
	alice.closed("reset")
	hidden, jid := online()
	hidden.send(`<iq xmlns='jabber:client' type='get' id='p1' to='social.example'><ping xmlns='urn:xmpp:ping'/></iq>`)
	hidden.expect("p1")
	for _, e := range bob.Sync() {
		assert.NotEqual(t, jid, e.Attrs["from"], e.XML)
	}

	// And the other way: what is agreed to at one node is shown at the other.
	alices.shows("contacts")
	hidden.closed("reset")
	_, jid = online()
	bob.Expect("alice again", of(jid, ""))
	assert.Equal(t, exitOK, one.stop())
	three := startServing(t, path, nil)
	alices.shows("nobody") // nobody waits for a node that has ended once another has begun
	assert.Equal(t, exitOK, three.stop())
	assert.Equal(t, exitOK, two.stop())
}
