package backend

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// What Prosody 0.12.3 with mod_auth_http was seen to send, but for the path.
const (
	carolsPassword = "carol:pw+/=&é"
	carolsQuery    = "server=http.pp.test&user=carol&pass=carol%3apw%2b%2f%3d%26%c3%a9"
)

func prosodyGet(path string) string {
	return lines("", "GET "+path+" HTTP/1.1", "Authorization: Basic cHJvc29keTpnYXRld2F5c2VjcmV0",
		"Host: 127.0.0.1:18080", "User-Agent: Prosody XMPP Server")
}

func prosodyPost(path, body string) string {
	return lines(body, "POST "+path+" HTTP/1.1", "Authorization: Basic cHJvc29keTpnYXRld2F5c2VjcmV0",
		"Host: 127.0.0.1:18080", "User-Agent: Prosody XMPP Server", "Content-Type: application/x-www-form-urlencoded",
		"Content-Length: "+strconv.Itoa(len(body)))
}

func carolOnly() *table { return &table{passwords: map[string]string{"carol": carolsPassword}} }

func authHTTPOf(t *testing.T, tb *table) http.Handler {
	return AuthHTTP(tb.core(t, "http.pp.test"), "prosody", []byte("gatewaysecret"))
}

func TestAuthHTTPGoldenRequest(t *testing.T) {
	tb := carolOnly()
	answer := overTCP(t, authHTTPOf(t, tb), prosodyGet("/prosody/check_password?"+carolsQuery))
	require.True(t, strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\n"), answer)
	require.True(t, strings.HasSuffix(answer, "\r\n\r\ntrue"), "exactly that, without a newline: %q", answer)
	require.Contains(t, answer, "Content-Length: 4\r\n")
	require.Equal(t, Event{Front: "auth_http", Caller: "127.0.0.1", Op: "auth", Username: "carol", Account: "id-carol",
		Credential: "credential-carol", Outcome: "yes", Reason: "ok"}, tb.last())
	exists := overTCP(t, authHTTPOf(t, tb), prosodyGet("/prosody/user_exists?user=carol&server=http.pp.test"))
	require.True(t, strings.HasSuffix(exists, "\r\n\r\ntrue"), exists)
}

// isYes is how the module reads an answer.
func isYes(status int, body string) bool { return status == http.StatusOK && body == "true" }

func TestAuthHTTPAnyOrder(t *testing.T) {
	h := authHTTPOf(t, carolOnly())
	parts := strings.Split(carolsQuery, "&")
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		query := parts[order[0]] + "&" + parts[order[1]] + "&" + parts[order[2]]
		w := wire(t, h, prosodyGet("/prosody/check_password?"+query))
		require.True(t, isYes(w.Code, w.Body.String()), query)
	}
}

func TestAuthHTTPPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, password := range []string{"a b", "a+b", "%2b", "ключ", "=&?#/;:", "\\\"'<>", strings.Repeat("é", 500), "tld-abcd-efgh"} {
			tb := &table{passwords: map[string]string{"carol": password}}
			h := authHTTPOf(t, tb)
			query := url.Values{"user": {"carol"}, "server": {"http.pp.test"}, "pass": {password}}.Encode()
			w := wire(t, h, prosodyGet("/prosody/check_password?"+lowerHex(query)))
			require.True(t, isYes(w.Code, w.Body.String()), password)
			query = url.Values{"user": {"carol"}, "server": {"http.pp.test"}, "pass": {password + "x"}}.Encode()
			w = wire(t, h, prosodyGet("/prosody/check_password?"+query))
			require.Equal(t, http.StatusForbidden, w.Code, password)
			require.False(t, isYes(w.Code, w.Body.String()))
		}
	})
}

// lowerHex spells percent-encodings as Prosody does.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:i+3], strings.ToLower(string(b[i:i+3])))
		}
	}
	return string(b)
}

func TestAuthHTTPRefusals(t *testing.T) {
	rows := []struct {
		name, raw string
		status    int
	}{
		{"wrong password", prosodyGet("/prosody/check_password?server=http.pp.test&user=carol&pass=x"), 403},
		{"empty password", prosodyGet("/prosody/check_password?server=http.pp.test&user=carol&pass="), 400},
		{"no password", prosodyGet("/prosody/check_password?server=http.pp.test&user=carol"), 400},
		{"no user", prosodyGet("/prosody/check_password?server=http.pp.test&pass=x"), 400},
		{"no server", prosodyGet("/prosody/check_password?user=carol&pass=x"), 400},
		{"another server", prosodyGet("/prosody/check_password?" + strings.Replace(carolsQuery, "http.", "other.", 1)), 403},
		{"two users", prosodyGet("/prosody/check_password?" + carolsQuery + "&user=dave"), 400},
		{"two passwords", prosodyGet("/prosody/check_password?" + carolsQuery + "&pass=x"), 400},
		{"no encoding", prosodyGet("/prosody/check_password?" + carolsQuery + "%zz"), 400},
		{"no UTF-8", prosodyGet("/prosody/check_password?server=http.pp.test&user=carol&pass=%ff"), 400},
		{"no query", prosodyGet("/prosody/check_password"), 400},
		{"long", prosodyGet("/prosody/check_password?" + carolsQuery + strings.Repeat("x", maxForm)), 400},
		{"posted", prosodyPost("/prosody/check_password", carolsQuery), 405},
		{"exists with a password", prosodyGet("/prosody/user_exists?" + carolsQuery), 400},
		{"set_password", prosodyPost("/prosody/set_password", carolsQuery), 501},
		{"register", prosodyPost("/prosody/register", carolsQuery), 501},
		{"remove_user", prosodyPost("/prosody/remove_user", "user=carol&server=http.pp.test"), 501},
		{"another operation", prosodyGet("/prosody/certauth?" + carolsQuery), 404},
		{"no credentials", lines("", "GET /prosody/check_password?"+carolsQuery+" HTTP/1.1", "Host: x"), 401},
		{"no credentials, unsupported", lines("", "POST /prosody/register HTTP/1.1", "Host: x"), 401},
		{"Bearer", lines("", "GET /prosody/check_password?"+carolsQuery+" HTTP/1.1", "Host: x", "Authorization: Bearer gatewaysecret"), 401},
		{"other user", basicGet("prosodY:gatewaysecret"), 401},
		{"other secret", basicGet("prosody:gatewaysecreT"), 401},
		{"secret alone", basicGet(":gatewaysecret"), 401},
		{"user alone", basicGet("prosody:"), 401},
		{"the person's own", basicGet("carol:" + carolsPassword), 401},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tb := carolOnly()
				w := wire(t, authHTTPOf(t, tb), row.raw)
				require.Equal(t, row.status, w.Code)
				require.NotEqual(t, "true", w.Body.String(), "whoever forgets to look at the status")
				if row.status == http.StatusUnauthorized {
					require.Empty(t, tb.last(), "who is not let in asks nothing")
				}
			})
		})
	}
}

func basicGet(credentials string) string {
	return lines("", "GET /prosody/check_password?"+carolsQuery+" HTTP/1.1", "Host: x",
		"Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
}

func TestAuthHTTPWithoutASecretLetsNobodyIn(t *testing.T) {
	tb := carolOnly()
	for _, h := range []http.Handler{AuthHTTP(tb.core(t, "http.pp.test"), "", nil), AuthHTTP(tb.core(t, "http.pp.test"), "prosody", nil)} {
		for _, raw := range []string{basicGet(":"), basicGet("prosody:"), lines("", "GET /prosody/check_password?"+carolsQuery+" HTTP/1.1", "Host: x")} {
			require.Equal(t, http.StatusUnauthorized, wire(t, h, raw).Code)
		}
	}
}

func TestAuthHTTPWhoExists(t *testing.T) {
	h := authHTTPOf(t, carolOnly())
	w := wire(t, h, prosodyGet("/prosody/user_exists?user=carol&server=http.pp.test"))
	require.True(t, isYes(w.Code, w.Body.String()))
	for _, query := range []string{"user=dave&server=http.pp.test", "user=carol&server=other.test"} {
		w = wire(t, h, prosodyGet("/prosody/user_exists?"+query))
		require.Equal(t, http.StatusOK, w.Code, "an answer, not a failure")
		require.Equal(t, "false", w.Body.String())
	}
}

// A message to somebody who does not exist bounces and is lost; a password that
// cannot be checked must not count.
func TestAuthHTTPCannotTell(t *testing.T) {
	tb := carolOnly()
	tb.err = errTrouble
	h := authHTTPOf(t, tb)
	w := wire(t, h, prosodyGet("/prosody/check_password?"+carolsQuery))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.NotEqual(t, "true", w.Body.String())
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Equal(t, "unknown", tb.last().Outcome)
	for _, user := range []string{"carol", "dave"} {
		w = wire(t, h, prosodyGet("/prosody/user_exists?server=http.pp.test&user="+user))
		require.True(t, isYes(w.Code, w.Body.String()), user)
	}
}

// The query holds the password: none of it may be in a log, whatever is wrong with
// the request.
func TestAuthHTTPQueryIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "s3cr3tpw"
		for _, err := range []error{nil, errTrouble} {
			tb := carolOnly()
			tb.err = err
			h := authHTTPOf(t, tb)
			for _, path := range []string{
				"/prosody/check_password?server=http.pp.test&user=carol&pass=" + secret,
				"/prosody/check_password?server=other.test&user=carol&pass=" + secret,
				"/prosody/check_password?server=http.pp.test&pass=" + secret,
				"/prosody/check_password?server=http.pp.test&user=carol&pass=%zz" + secret,
				"/prosody/check_password?server=http.pp.test&user=carol&pass=" + secret + "%" + secret,
				"/prosody/check_password?server=http.pp.test&user=carol&pass=" + secret + ";" + secret,
				"/prosody/check_password?server=http.pp.test&user=carol&pass=" + secret + "&pass=" + secret,
				"/prosody/check_password?" + secret + "=" + secret,
				"/prosody/user_exists?user=carol&server=http.pp.test&pass=" + secret,
				"/prosody/" + secret,
			} {
				wire(t, h, prosodyGet(path))
				wire(t, h, lines("", "GET "+path+" HTTP/1.1", "Host: x", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("prosody:"+secret))))
				wire(t, h, prosodyPost(path, ""))
			}
			require.Contains(t, tb.logged(), "malformed question")
			require.Contains(t, tb.logged(), "wrong HTTP Basic credentials")
			require.NotContains(t, tb.logged(), secret)
			require.NotContains(t, tb.logged(), "gatewaysecret")
		}
	})
}

// FuzzAuthQuery: what parses has one of each, says the same when written again, and
// no error quotes the query.
func FuzzAuthQuery(f *testing.F) {
	f.Add(carolsQuery, true)
	f.Add("user=carol&server=http.pp.test", false)
	f.Add("user=a&user=b&server=c&pass=d", true)
	f.Add("user=%00&server=%ff&pass=+", true)
	f.Add("user=a;server=b&pass=c", true)
	f.Add("user=a&server=b&pass=%s3cr3t", true)
	f.Fuzz(func(t *testing.T, raw string, withPassword bool) {
		q, err := parseAuthQuery(raw, withPassword)
		if err != nil {
			require.Empty(t, q)
			require.NotContains(t, err.Error(), "%")
			return
		}
		require.NotEmpty(t, q.User)
		require.NotEmpty(t, q.Host)
		require.Equal(t, withPassword, q.Secret != "")
		require.True(t, utf8.ValidString(q.User+q.Host+q.Secret))
		again := url.Values{"user": {q.User}, "server": {q.Host}}
		if withPassword {
			again.Set("pass", q.Secret)
		}
		q2, err := parseAuthQuery(lowerHex(again.Encode()), withPassword)
		require.NoError(t, err)
		require.Equal(t, q, q2)
	})
}
