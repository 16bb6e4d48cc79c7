package backend

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// extauthFront is the front over alice and her password.
func extauthFront(t *testing.T) (*table, http.Handler) {
	t.Helper()
	tb := &table{passwords: map[string]string{"alice": "tlt_right"}}
	core := tb.core(t, "social.example")
	return tb, Extauth(core, []byte(shared), core.log)
}

func postExtauth(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/extauth", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+shared)
	return r
}

func TestExtauthAnswers(t *testing.T) {
	tb, h := extauthFront(t)
	for body, want := range map[string]string{
		`{"op":"auth","user":"alice","host":"social.example","secret":"tlt_right"}`: "yes",
		`{"op":"auth","user":"alice","host":"SOCIAL.example","secret":"tlt_right"}`: "yes",
		`{"op":"auth","user":"alice","host":"social.example","secret":"tlt_wrong"}`: "no",
		`{"op":"auth","user":"alice","host":"other.example","secret":"tlt_right"}`:  "no",
		`{"op":"auth","user":"bob","host":"social.example","secret":"tlt_right"}`:   "no",
		`{"op":"isuser","user":"alice","host":"social.example"}`:                    "yes",
		`{"op":"isuser","user":"bob","host":"social.example"}`:                      "no",
		`{"op":"isuser","user":"alice","host":"other.example"}`:                     "no",
		`{"op":"setpass","user":"alice","host":"social.example"}`:                   "no",
		`{"op":"tryregister","user":"carol","host":"social.example"}`:               "no",
		`{"op":"removeuser","user":"alice","host":"social.example"}`:                "no",
		`{"op":"removeuser3","user":"alice","host":"social.example"}`:               "no",
	} {
		status, answer := serve(h, postExtauth(body))
		assert.Equal(t, http.StatusOK, status, body)
		assert.JSONEq(t, `{"result":"`+want+`"}`, answer, body)
	}
	tb.err = errors.New("the database is away")
	for _, op := range []string{`"auth","secret":"tlt_right"`, `"isuser"`} {
		_, answer := serve(h, postExtauth(`{"op":`+op+`,"user":"alice","host":"social.example"}`))
		assert.JSONEq(t, `{"result":"unknown"}`, answer, op)
	}
	assert.NotContains(t, tb.logged(), "tlt_")
}

func TestExtauthRecordsWhatItRefuses(t *testing.T) {
	tb, h := extauthFront(t)
	serve(h, postExtauth(`{"op":"tryregister","user":"Carol","host":"social.example"}`))
	require.Equal(t, Event{Front: "extauth", Caller: "192.0.2.1", Op: "tryregister", Username: "carol", Outcome: "no", Reason: "unsupported"}, tb.last())
	serve(h, postExtauth(`{"op":"auth","user":"alice","host":"social.example","secret":"tlt_right"}`))
	require.Equal(t, "extauth", tb.last().Front)
	require.Equal(t, "yes", tb.last().Outcome)
}

func TestExtauthRefusesOthers(t *testing.T) {
	_, h := extauthFront(t)
	const right = `{"op":"isuser","user":"alice","host":"social.example"}`
	r := postExtauth(right)
	r.Header.Set("Authorization", "Bearer another")
	status, _ := serve(h, r)
	assert.Equal(t, http.StatusUnauthorized, status)
	r = postExtauth(right)
	r.Method = http.MethodGet
	status, _ = serve(h, r)
	assert.Equal(t, http.StatusMethodNotAllowed, status)
	status, _ = serve(h, postExtauth(`{"op":"isuser","user":"`+strings.Repeat("a", maxBody)+`"}`))
	assert.Equal(t, http.StatusRequestEntityTooLarge, status)
	for _, body := range []string{
		``, `[]`, `{}`, right + right, "\xff", `{"op":"auth","user":"alice","host":"social.example"}`,
		`{"op":"isuser","user":"alice","host":"social.example","secret":"x"}`,
		`{"op":"setpass","user":"alice","host":"social.example","secret":"x"}`,
		`{"op":"certauth","user":"alice","host":"social.example"}`,
		`{"op":"isuser","user":"","host":"social.example"}`, `{"op":"isuser","user":"alice","host":""}`,
		`{"op":"isuser","user":"` + strings.Repeat("a", maxPart+1) + `","host":"social.example"}`,
	} {
		status, _ := serve(h, postExtauth(body))
		assert.Equal(t, http.StatusBadRequest, status, body)
	}
}

// Somebody who tries wrong passwords in a loop holds one of ejabberd's few
// programs each time, and everybody else's logins wait behind them.
func TestExtauthHoldsNoWrongAnswerBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h := extauthFront(t)
		began := time.Now()
		for range 20 {
			_, answer := serve(h, postExtauth(`{"op":"auth","user":"alice","host":"social.example","secret":"tlt_wrong"}`))
			require.JSONEq(t, `{"result":"no"}`, answer)
		}
		require.Zero(t, time.Since(began))
	})
}

func FuzzExtauthQuestion(f *testing.F) {
	f.Add([]byte(`{"op":"auth","user":"alice","host":"social.example","secret":"s"}`))
	f.Add([]byte(`{"op":"isuser","user":"alice","host":"social.example"}`))
	f.Add([]byte(`{"op":"setpass","user":"\ud800","host":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := parseExtauth(body)
		if err != nil {
			require.Zero(t, q)
			return
		}
		require.Equal(t, q.Op == "auth", q.Secret != "")
		again, err := json.Marshal(map[string]string{"op": q.Op, "user": q.User, "host": q.Host, "secret": string(q.Secret)})
		require.NoError(t, err)
		same, err := parseExtauth(again)
		require.NoError(t, err)
		require.Equal(t, q, same)
	})
}
