package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
	"unicode/utf8"
)

// Feed tells what ended: credentials that were revoked, logins that were signed
// out, accounts.
type Feed interface {
	// Feed returns up to limit entries after the one numbered after, oldest first,
	// and the number to ask after next time. after < 0 asks for the present end of
	// the feed alone. Entries are kept for a day at least.
	Feed(ctx context.Context, after int64, limit int) (ended []Ended, last int64, err error)
}

// Ended is one entry of a Feed.
type Ended struct {
	Kind    string `json:"kind"`    // "credential", "session" or "account"
	Subject string `json:"subject"` // its id
	User    string `json:"user"`    // whose, "" where not known
	Account string `json:"account"` // their id, "" where not known
	Reason  string `json:"reason"`  // a plain sentence for the person
}

// feedKept is how long a follower may be away and still hear of everything: less
// than the day, for clocks differ and old entries are removed at any time.
const feedKept = 23 * time.Hour

// feedPage is how many entries one answer holds at most.
const feedPage = 500

// Prosody answers contrib/prosody/mod_auth_trunkline, to be mounted at
// /verify and /prosody/revocations of the private listener:
//
//	POST /verify
//	Authorization: Bearer SECRET
//	{"op":"auth","user":"alice","host":"example.org","secret":"…","address":"203.0.113.7"}
//	{"op":"exists","user":"alice","host":"example.org"}
//	{"op":"welcome","user":"alice","host":"example.org","address":"203.0.113.7"}
//
//	200 {"result":"yes"|"no"|"unknown"}
//
// "welcome" is asked about somebody whose password another authentication module
// has found right: yes for people in good standing and for whom nothing is known
// of, no for who is suspended or blocked.
//
// "address" is the person's, and may be left out. A yes to "auth" also has
// "account", "session" and "credential", what the password hangs on; an unknown
// has "reason", which is "throttled" when nothing is wrong but too many wrong
// passwords were tried.
//
//	POST /prosody/revocations
//	Authorization: Bearer SECRET
//	{"after":7,"away":2.5}
//
//	200 {"seq":9,"ended":[{"kind":"credential"|"session"|"account","subject":"…","user":"…","account":"…","reason":"…"}]}
//
// holds what ended after entry 7, oldest first and at most 500 of it; "seq" is
// the next "after". -1 asks for the present end alone. "away" is how many seconds
// ago the last answer came, and may be left out; for who was away for longer than
// the feed is kept, the answer has "gap":true and the present end: what ended
// meanwhile cannot be told any more. 503 when the feed cannot be read now.
//
// People of another host than the domain do not exist. 401 for a wrong or missing
// secret, 400 for a body that is no such request, 413 for one over 4 KiB, 405
// for another method; these have a JSON body {"error":"…"}.
func Prosody(core *Core, feed Feed, secret []byte, log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &prosody{core: core, feed: feed, secret: bytes.Clone(secret), log: log}
	mux := http.NewServeMux()
	mux.Handle("/verify", p.admit(p.verify))
	mux.Handle("/prosody/revocations", p.admit(p.revocations))
	return mux
}

type prosody struct {
	core   *Core
	feed   Feed
	secret []byte
	log    *slog.Logger
}

// admit lets through the bodies of those who know the secret.
func (p *prosody) admit(next func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "ask with POST")
			return
		}
		if !bearer(r, p.secret) {
			p.log.WarnContext(r.Context(), "backend: question with a wrong shared secret", "remote", r.RemoteAddr)
			w.Header().Set("WWW-Authenticate", `Bearer realm="trunkline"`)
			refuse(w, http.StatusUnauthorized, "wrong shared secret")
			return
		}
		if body, ok := readBody(w, r, maxBody); ok {
			next(w, r, body)
		}
	}
}

func (p *prosody) verify(w http.ResponseWriter, r *http.Request, body []byte) {
	q, err := parseQuestion(body)
	if err != nil {
		p.log.WarnContext(r.Context(), "backend: malformed question", "error", err)
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	asked := Question{Front: "prosody", Caller: caller(r), Address: q.Address, User: q.User, Host: q.Host, Secret: string(q.Secret)}
	answer := map[string]string{}
	switch q.Op {
	case opExists:
		answer["result"] = string(p.core.Exists(r.Context(), asked))
	case opWelcome:
		answer["result"] = string(p.core.Welcome(r.Context(), asked).Answer)
	default:
		result := p.core.Auth(r.Context(), asked)
		answer["result"] = string(result.Answer)
		switch result.Answer {
		case Yes:
			answer["account"], answer["session"], answer["credential"] = result.Account, result.Session, result.Credential
		case Unknown:
			answer["reason"] = result.Reason
		}
	}
	p.log.DebugContext(r.Context(), "backend: answered", "op", q.Op, "user", q.User, "host", q.Host, "result", answer["result"])
	reply(w, http.StatusOK, answer)
}

func (p *prosody) revocations(w http.ResponseWriter, r *http.Request, body []byte) {
	after, gap, err := parseAfter(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if gap {
		after = -1
	}
	ctx, cancel := context.WithTimeout(r.Context(), thinkTime)
	defer cancel()
	ended, last, err := p.feed.Feed(ctx, after, feedPage)
	if err != nil {
		p.log.WarnContext(ctx, "backend: what ended cannot be told now", "error", err)
		refuse(w, http.StatusServiceUnavailable, "cannot tell now")
		return
	}
	if ended == nil {
		ended = []Ended{}
	}
	reply(w, http.StatusOK, struct {
		Seq   int64   `json:"seq"`
		Ended []Ended `json:"ended"`
		Gap   bool    `json:"gap,omitempty"`
	}{last, ended, gap})
}

const (
	opAuth    = "auth"
	opExists  = "exists"
	opWelcome = "welcome"
)

// question is the body of a request.
type question struct {
	Op      string   `json:"op"`
	User    string   `json:"user"`
	Host    string   `json:"host"`
	Secret  password `json:"secret,omitempty"`
	Address string   `json:"address,omitempty"`
}

// parseQuestion reads a body. Its errors do not quote the body. Whether a
// password can be right is not its question: a silly one is simply wrong.
func parseQuestion(body []byte) (question, error) {
	var q question
	if err := parseObject(body, &q); err != nil {
		return question{}, err
	}
	for name, value := range map[string]string{"user": q.User, "host": q.Host} {
		if value == "" || len(value) > maxPart {
			return question{}, fmt.Errorf("%q is missing or too long", name)
		}
	}
	switch {
	case q.Op != opAuth && q.Op != opExists && q.Op != opWelcome:
		return question{}, errors.New(`"op" must be "auth", "exists" or "welcome"`)
	case q.Op == opAuth && q.Secret == "":
		return question{}, errors.New(`"secret" is missing`)
	case q.Op != opAuth && q.Secret != "":
		return question{}, errors.New(`only "auth" takes a "secret"`)
	}
	return q, nil
}

// parseAfter reads the body of a question for what ended, and says whether there
// is a gap between the last answer and what can still be told.
func parseAfter(body []byte) (after int64, gap bool, err error) {
	var q struct {
		After *int64
		Away  float64 // seconds
	}
	if err := parseObject(body, &q); err != nil {
		return 0, false, err
	}
	switch {
	case q.After == nil || *q.After < -1:
		return 0, false, errors.New(`"after" must be a whole number from -1`)
	case q.Away < 0:
		return 0, false, errors.New(`"away" must not be negative`)
	}
	return *q.After, *q.After >= 0 && q.Away > feedKept.Seconds(), nil
}

// parseObject reads one JSON object and nothing after it.
func parseObject(body []byte, into any) error {
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(into); err != nil {
		return errors.New("the body is not the JSON object that is expected here")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON object")
	}
	return nil
}
