package backend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fronts are all that speak HTTP, with a question each that is recorded.
func fronts(t *testing.T, tb *table) map[string]func() (http.Handler, *http.Request) {
	t.Helper()
	core := tb.core(t, "social.example")
	request := func(method, target, body string) *http.Request {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+shared)
		return r
	}
	const alice = `"user":"alice","host":"social.example"`
	prosody, extauth := Prosody(core, nil, []byte(shared), nil), Extauth(core, []byte(shared), nil)
	rooms, err := MUC(core, []Room{{JID: "*@rooms.social.example", Allow: []string{"account:mallory@other.example"}}}, nobody{}, []byte(shared))
	require.NoError(t, err)
	oauth, err := OAuth(core, tokenless{}, OAuthConfig{ClientID: "prosody", Secret: []byte(shared)})
	require.NoError(t, err)
	return map[string]func() (http.Handler, *http.Request){
		"prosody": func() (http.Handler, *http.Request) {
			return prosody, request("POST", "/verify", `{"op":"auth","secret":"x",`+alice+`}`)
		},
		"prosody, welcome": func() (http.Handler, *http.Request) {
			return prosody, request("POST", "/verify", `{"op":"welcome",`+alice+`}`)
		},
		"extauth": func() (http.Handler, *http.Request) {
			return extauth, request("POST", "/extauth", `{"op":"auth","secret":"x",`+alice+`}`)
		},
		"extauth, refused": func() (http.Handler, *http.Request) {
			return extauth, request("POST", "/extauth", `{"op":"setpass",`+alice+`}`)
		},
		"auth_http": func() (http.Handler, *http.Request) {
			r := request("GET", "/prosody/check_password?user=alice&server=social.example&pass=x", "")
			r.SetBasicAuth("prosody", shared)
			return AuthHTTP(core, "prosody", []byte(shared)), r
		},
		"oauth, grant": func() (http.Handler, *http.Request) {
			r := request("POST", "/oauth/token", "grant_type=password&username=alice&password=x")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("prosody", shared)
			return oauth, r
		},
		"oauth, userinfo": func() (http.Handler, *http.Request) { return oauth, request("GET", "/oauth/userinfo", "") },
		"muc": func() (http.Handler, *http.Request) {
			return rooms, request("GET", "/muc/authorize?userJID=eve@other.example&mucJID=tea@rooms.social.example&nickname=e", "")
		},
	}
}

// nobody is a Membership without people, and tokenless makes no tokens.
type nobody struct{ Membership }

type tokenless struct{}

func (tokenless) Access(context.Context, string) (username, account string, ok bool, err error) {
	return "", "", false, nil
}

func (tokenless) MintAccess(context.Context, string, string, string, string, string) (
	token string, expires time.Time, ok bool, reason, account, credential string, err error) {
	return "tla_x", time.Time{}, true, "ok", "1", "c", nil
}

// The record says which server asked: by its certificate, its address, or that it
// is one on this machine that uses the socket.
func TestTheRecordSaysWhichServerAsked(t *testing.T) {
	tb := &table{passwords: map[string]string{"alice": "x"}} // a right one is not held back
	named := &x509.Certificate{Subject: pkix.Name{CommonName: "chat1.social.example"}}
	for name, front := range fronts(t, tb) {
		for want, change := range map[string]func(*http.Request){
			"192.0.2.1":   func(*http.Request) {},
			"2001:db8::1": func(r *http.Request) { r.RemoteAddr = "[2001:db8::1]:5000" },
			"unix":        func(r *http.Request) { r.RemoteAddr = "@" },
			"chat1.social.example": func(r *http.Request) {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{named}, VerifiedChains: [][]*x509.Certificate{{named}}}
			},
		} {
			h, r := front()
			change(r)
			tb.events = nil
			serve(h, r)
			require.Len(t, tb.events, 1, name)
			require.Equal(t, want, tb.last().Caller, name)
		}
	}
}

func TestCallersWithoutAVerifiedName(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	named := &x509.Certificate{Subject: pkix.Name{CommonName: "claims.to.be"}}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{named}}
	require.Equal(t, "192.0.2.1", caller(r), "a certificate that nobody verified")
	r.TLS.VerifiedChains = [][]*x509.Certificate{{{}}}
	require.Equal(t, "192.0.2.1", caller(r), "a certificate without a name")
}

// A real socket in the file system.
func TestCallersThroughASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	heard := make(chan string, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- caller(r) }))
	require.NoError(t, server.Listener.Close())
	server.Listener = l
	server.Start()
	defer server.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get("http://trunkline/")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, "unix", <-heard)
}
