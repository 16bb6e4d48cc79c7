package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func TestCoreNeedsAVerifierAndADomain(t *testing.T) {
	for _, cfg := range []CoreConfig{{}, {Verifier: people{}}, {Domain: "social.example"}} {
		_, err := NewCore(cfg)
		require.ErrorContains(t, err, "needs a verifier and a domain")
	}
	f := newFortress(t)
	_, err := NewCore(CoreConfig{Verifier: people{}, Domain: "social.example", Metrics: f.reg})
	require.ErrorContains(t, err, "backend: metrics", "twice on one registry")
}

// What is decided is recorded and counted; who exists is counted alone.
func TestAnswersAreRecordedAndCounted(t *testing.T) {
	f := newFortress(t)
	f.Auth(t.Context(), Question{
		Front: "extauth", Caller: "one", Address: "203.0.113.7", User: "Alice", Host: "Social.Example", Secret: device,
	})
	f.Auth(t.Context(), Question{Front: "ldap", User: "bob", Secret: device})
	f.Auth(t.Context(), Question{Front: "ldap", User: "bob", Host: "other.example", Secret: device})
	f.site.err = errors.New("the database is away")
	f.Auth(t.Context(), Question{Front: "ldap", User: "bob", Secret: "s3cr3t-pw"})
	require.Equal(t, Yes, f.Exists(t.Context(), Question{Front: "ldap", User: "bob"}))
	f.Core.Record(Event{Front: "muc", Op: "join", Username: "alice", Outcome: "no", Reason: "not_following"})

	require.Equal(t, []Event{
		{Front: "extauth", Caller: "one", Op: "auth", Username: "alice", Account: "1", Credential: "c1",
			Address: "203.0.113.7", Outcome: "yes", Reason: "ok"},
		{Front: "ldap", Op: "auth", Username: "bob", Outcome: "no", Reason: "unknown_secret"},
		{Front: "ldap", Op: "auth", Username: "bob", Outcome: "no", Reason: ReasonOtherHost},
		{Front: "ldap", Op: "auth", Username: "bob", Outcome: "unknown", Reason: ReasonTrouble},
		{Front: "muc", Op: "join", Username: "alice", Outcome: "no", Reason: "not_following"},
	}, f.events)
	require.NotContains(t, fmt.Sprint(f.events), "s3cr3t-pw")
	require.NoError(t, testutil.GatherAndCompare(f.reg, strings.NewReader(`
		# HELP trunkline_backend_answers_total Answers to servers, by front, operation and answer.
		# TYPE trunkline_backend_answers_total counter
		trunkline_backend_answers_total{answer="no",front="ldap",op="auth"} 2
		trunkline_backend_answers_total{answer="unknown",front="ldap",op="auth"} 1
		trunkline_backend_answers_total{answer="yes",front="extauth",op="auth"} 1
		trunkline_backend_answers_total{answer="yes",front="ldap",op="exists"} 1
		# HELP trunkline_backend_waiting Questions that are being answered now.
		# TYPE trunkline_backend_waiting gauge
		trunkline_backend_waiting 0
	`), "trunkline_backend_answers_total", "trunkline_backend_waiting"))
}

// A SIP phone's password is nobody's guess: the Fallback is for chat alone.
func TestOnlyChatPasswordsAreGuesses(t *testing.T) {
	f := newFortress(t)
	require.Equal(t, No, f.Auth(t.Context(), Question{Front: "sip", Service: "sip", User: "alice", Secret: "hunter2"}).Answer)
	require.Zero(t, f.site.count())
	require.Equal(t, Yes, f.Auth(t.Context(), Question{Front: "ldap", User: "alice", Secret: "hunter2"}).Answer)
}

// ends is a Feed.
type ends struct {
	err   error
	after []int64
}

func (e *ends) Feed(_ context.Context, after int64, limit int) ([]Ended, int64, error) {
	e.after = append(e.after, after)
	if e.err != nil || after < 0 || limit < 1 {
		return nil, 7, e.err
	}
	return []Ended{{Kind: "credential", Subject: "c1", User: "alice", Account: "1", Reason: "revoked"}}, 8, nil
}

func TestWhatEndedIsTold(t *testing.T) {
	feed := &ends{}
	h := ask(t, people{}, feed, nil)
	question := func(body string) (int, string) {
		r := post(body)
		r.URL.Path = "/prosody/revocations"
		return serve(h, r)
	}
	status, body := question(`{"after":-1}`)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"seq":7,"ended":[]}`, body)
	status, body = question(`{"after":7}`)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"seq":8,"ended":[{"kind":"credential","subject":"c1","user":"alice","account":"1","reason":"revoked"}]}`, body)
	require.Equal(t, []int64{-1, 7}, feed.after)

	status, body = question(`{"after":7,"away":82799.9}`) // 23 hours
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, body, "gap")
	status, body = question(`{"after":7,"away":82800.5}`)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"seq":7,"ended":[],"gap":true}`, body, "what ended meanwhile may be gone")
	_, body = question(`{"after":-1,"away":82800.5}`)
	require.NotContains(t, body, "gap", "who begins has missed nothing")
	feed.after = feed.after[:2]

	for _, bad := range []string{
		``, `null`, `[]`, `{}`, `{"after":null}`, `{"after":"7"}`, `{"after":-2}`, `{"after":1.5}`, `{"after":1e30}`, `{"after":1}{}`, `{"after":1,"away":-1}`, `{"after":1,"away":"long"}`,
	} {
		status, body = question(bad)
		require.Equal(t, http.StatusBadRequest, status, bad)
		require.Contains(t, body, `"error"`, bad)
	}
	require.Len(t, feed.after, 2, "nothing of that was asked")

	feed.err = errors.New("the database is away")
	status, body = question(`{"after":7}`)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.JSONEq(t, `{"error":"cannot tell now"}`, body)

	r := post(`{"after":7}`)
	r.URL.Path = "/prosody/revocations"
	r.Header.Set("Authorization", "Bearer wrong")
	status, _ = serve(h, r)
	require.Equal(t, http.StatusUnauthorized, status)
}

// What parses is a place in the list, and says the same when written again.
func FuzzParseAfter(f *testing.F) {
	for _, s := range []string{`{"after":-1}`, `{"after":7}`, `{"after":9223372036854775807}`, `{"after":7,"away":1e9}`, `{"AFTER":1}`, `{"after":null}`, `[]`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		after, gap, err := parseAfter(body)
		if err != nil {
			require.Zero(t, after)
			require.False(t, gap)
			return
		}
		require.False(t, gap && after < 0, "who begins has missed nothing")
		require.GreaterOrEqual(t, after, int64(-1))
		again, _, err := parseAfter(fmt.Appendf(nil, `{"after":%d}`, after))
		require.NoError(t, err)
		require.Equal(t, after, again)
	})
}

// What the Core adds to the Verifier's answer.
func BenchmarkAuth(b *testing.B) {
	core, err := NewCore(CoreConfig{Verifier: people{}, Domain: "social.example"})
	require.NoError(b, err)
	b.RunParallel(func(pb *testing.PB) {
		q := Question{Front: "prosody", Address: "203.0.113.7", User: "alice", Host: "social.example", Secret: "right"}
		for pb.Next() {
			if r := core.Auth(b.Context(), q); r.Answer != Yes {
				b.Fatal(r)
			}
		}
	})
}
