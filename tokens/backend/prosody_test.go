package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// people is a Verifier that knows alice and her password.
type people struct{ err error }

func (p people) Check(_ context.Context, service, username, secret, front, from string) (
	ok bool, reason, account, session, credential string, err error) {
	if service == "xmpp" && username == "alice" && secret == "right" {
		return true, "ok", "1", "", "c1", p.err
	}
	return false, "unknown_secret", "", "", "", p.err
}

func (p people) Exists(_ context.Context, username string) (bool, error) {
	return username == "alice", p.err
}

// Welcome is alice, and whoever is unknown.
func (p people) Welcome(_ context.Context, username string) (bool, error) {
	return username != "mallory", p.err
}

const shared = "a shared secret"

// ask is a front over this verifier.
func ask(t *testing.T, v Verifier, feed Feed, log *slog.Logger) http.Handler {
	t.Helper()
	core, err := NewCore(CoreConfig{Verifier: v, Domain: "Social.Example", Log: log})
	require.NoError(t, err)
	return Prosody(core, feed, []byte(shared), log)
}

func post(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/verify", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+shared)
	return r
}

func serve(h http.Handler, r *http.Request) (status int, body string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestAnswers(t *testing.T) {
	h := ask(t, people{}, nil, nil)
	for name, tc := range map[string]struct{ body, want string }{
		"right":          {`{"op":"auth","user":"alice","host":"social.example","secret":"right"}`, "yes"},
		"wrong":          {`{"op":"auth","user":"alice","host":"social.example","secret":"left"}`, "no"},
		"no such person": {`{"op":"auth","user":"bob","host":"social.example","secret":"right"}`, "no"},
		"exists":         {`{"op":"exists","user":"alice","host":"SOCIAL.example"}`, "yes"},
		"exists not":     {`{"op":"exists","user":"bob","host":"social.example"}`, "no"},
		"welcome":        {`{"op":"welcome","user":"alice","host":"social.example"}`, "yes"},
		"a stranger":     {`{"op":"welcome","user":"dave","host":"social.example"}`, "yes"},
		"unwelcome":      {`{"op":"welcome","user":"mallory","host":"social.example","address":"203.0.113.7"}`, "no"},
		"not from here":  {`{"op":"welcome","user":"alice","host":"other.example"}`, "no"},
		"another host":   {`{"op":"auth","user":"alice","host":"other.example","secret":"right"}`, "no"},
		"later field":    {`{"op":"exists","user":"alice","host":"social.example","version":2}`, "yes"},
		"odd password":   {`{"op":"auth","user":"alice","host":"social.example","secret":"\u0000\n"}`, "no"},
		"long password":  {`{"op":"auth","user":"alice","host":"social.example","secret":"` + strings.Repeat("x", 3000) + `"}`, "no"},
	} {
		status, body := serve(h, post(tc.body))
		require.Equal(t, http.StatusOK, status, name)
		want := `{"result":"` + tc.want + `"}`
		if name == "right" {
			want = `{"result":"yes","account":"1","session":"","credential":"c1"}`
		}
		require.JSONEq(t, want, body, name)
	}
}

func TestRefusals(t *testing.T) {
	h := ask(t, people{}, nil, nil)
	const good = `{"op":"auth","user":"alice","host":"social.example","secret":"right"}`
	for name, tc := range map[string]struct {
		body   string
		change func(*http.Request)
		want   int
	}{
		"GET":             {"", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		"no secret":       {good, func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"wrong secret":    {good, func(r *http.Request) { r.Header.Set("Authorization", "Bearer a shared secreT") }, 401},
		"secret and more": {good, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+shared+"x") }, 401},
		"empty secret":    {good, func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 401},
		"basic":           {good, func(r *http.Request) { r.SetBasicAuth("prosody", shared) }, 401},
		"secret in URL":   {good, func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "access_token=" + shared }, 401},
		"empty":           {"", nil, 400},
		"not JSON":        {"op=auth&user=alice", nil, 400},
		"array":           {`["auth"]`, nil, 400},
		"number":          {`{"op":"auth","user":1,"host":"social.example","secret":"right"}`, nil, 400},
		"null":            {`null`, nil, 400},
		"two objects":     {good + good, nil, 400},
		"unknown op":      {`{"op":"delete","user":"alice","host":"social.example"}`, nil, 400},
		"no user":         {`{"op":"exists","host":"social.example"}`, nil, 400},
		"a password":      {`{"op":"welcome","user":"alice","host":"social.example","secret":"right"}`, nil, 400},
		"no host":         {`{"op":"exists","user":"alice"}`, nil, 400},
		"no password":     {`{"op":"auth","user":"alice","host":"social.example"}`, nil, 400},
		"long user":       {`{"op":"exists","user":"` + strings.Repeat("a", 1024) + `","host":"social.example"}`, nil, 400},
		"not UTF-8":       {"{\"op\":\"exists\",\"user\":\"\xff\",\"host\":\"social.example\"}", nil, 400},
		"over 4 KiB":      {`{"op":"exists","user":"alice","host":"social.example"` + strings.Repeat(" ", 4096) + `}`, nil, 413},
	} {
		r := post(tc.body)
		if tc.change != nil {
			tc.change(r)
		}
		status, body := serve(h, r)
		require.Equal(t, tc.want, status, name)
		require.Contains(t, body, `"error"`, name)
		require.NotContains(t, body, "right", name)
	}
}

func TestEmptySharedSecretLetsNobodyIn(t *testing.T) {
	core, err := NewCore(CoreConfig{Verifier: people{}, Domain: "social.example"})
	require.NoError(t, err)
	h := Prosody(core, nil, nil, nil)
	for _, header := range []string{"", "Bearer ", "Bearer  "} {
		r := post(`{"op":"exists","user":"alice","host":"social.example"}`)
		r.Header.Set("Authorization", header)
		status, _ := serve(h, r)
		require.Equal(t, http.StatusUnauthorized, status, header)
	}
}

func TestTroubleIsUnknown(t *testing.T) {
	h := ask(t, people{err: errors.New("the database is away")}, nil, nil)
	for op, want := range map[string]string{
		`"auth","secret":"right"`: `{"result":"unknown","reason":"trouble"}`, `"exists"`: `{"result":"unknown"}`, `"welcome"`: `{"result":"unknown"}`,
	} {
		status, body := serve(h, post(`{"op":`+op+`,"user":"alice","host":"social.example"}`))
		require.Equal(t, http.StatusOK, status)
		require.JSONEq(t, want, body)
	}
}

func TestPasswordIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	h := ask(t, people{err: errors.New("trouble")}, nil, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, body := range []string{
		`{"op":"auth","user":"alice","host":"social.example","secret":"s3cr3t-pw"}`,
		`{"op":"auth","user":"alice","host":"other.example","secret":"s3cr3t-pw"}`,
		`{"op":"auth","user":"alice","secret":"s3cr3t-pw"}`,
		`{"op":"auth","secret":"s3cr3t-pw",`,
	} {
		serve(h, post(body))
	}
	r := post(`{}`)
	r.Header.Set("Authorization", "Bearer s3cr3t-pw")
	serve(h, r)
	require.Contains(t, log.String(), "alice")
	require.NotContains(t, log.String(), "s3cr3t-pw")
	q := question{Secret: "s3cr3t-pw"}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", q, q, q, q.Secret), "s3cr3t-pw")
}

// stuck is a Verifier that does not even look at its context.
type stuck struct{ free chan struct{} }

func (s stuck) Check(context.Context, string, string, string, string, string) (
	ok bool, reason, account, session, credential string, err error) {
	<-s.free
	return true, "ok", "", "", "", nil
}

func (s stuck) Exists(context.Context, string) (bool, error) {
	<-s.free
	return true, nil
}

func (s stuck) Welcome(ctx context.Context, username string) (bool, error) {
	return s.Exists(ctx, username)
}

// Whatever the Verifier does, the answer comes within 2 s, and what waits for a
// stuck one is bounded.
func TestStuckVerifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stuck{free: make(chan struct{})}
		h := ask(t, s, nil, nil)
		question := func() string {
			status, body := serve(h, post(`{"op":"auth","user":"alice","host":"social.example","secret":"x"}`))
			require.Equal(t, http.StatusOK, status)
			return body
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range maxAsking {
			wg.Go(func() { require.JSONEq(t, `{"result":"unknown","reason":"late"}`, question()) })
		}
		synctest.Wait()
		require.JSONEq(t, `{"result":"unknown","reason":"busy"}`, question())
		require.Zero(t, time.Since(began), "one too many is told at once")
		wg.Wait()
		require.Equal(t, thinkTime, time.Since(began))
		require.Less(t, thinkTime, 2*time.Second)

		close(s.free)
		synctest.Wait()
		require.JSONEq(t, `{"result":"yes","account":"","session":"","credential":""}`, question())
	})
}

// What parses is a complete question, and says the same when written again.
func FuzzParseQuestion(f *testing.F) {
	for _, s := range []string{
		`{"op":"auth","user":"alice","host":"social.example","secret":"x"}`,
		`{"op":"exists","user":"alice","host":"social.example"}`,
		`{"op":"exists","user":"alice","host":"social.example"} {}`,
		`{"OP":"exists","uſer":"k","host":"\ud800"}`, `[]`, `null`, `{"op":null}`, "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := parseQuestion(body)
		if err != nil {
			require.Equal(t, question{}, q)
			return
		}
		require.NotEmpty(t, q.User)
		require.NotEmpty(t, q.Host)
		require.True(t, utf8.ValidString(q.User+q.Host+string(q.Secret)))
		require.Equal(t, q.Op == opAuth, q.Secret != "")
		again, err := json.Marshal(q)
		require.NoError(t, err)
		q2, err := parseQuestion(again)
		require.NoError(t, err)
		require.Equal(t, q, q2)
	})
}
