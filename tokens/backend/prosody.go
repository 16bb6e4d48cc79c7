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
	"unicode/utf8"
)

// Feed tells what ended: credentials that were revoked, logins that were signed
// out, accounts.
type Feed interface {
	// Feed returns up to limit entries after the one numbered after, oldest first,
	// and the number to ask after next time. after < 0 asks for the present end of
	// the feed alone.
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

// feedPage is how many entries one answer holds at most.
const feedPage = 500

// Prosody answers contrib/prosody/mod_auth_trunkline, to be mounted at
// /verify and /prosody/revocations of the private listener:
//
//	POST /verify
//	Authorization: Bearer SECRET
//	{"op":"auth","user":"alice","host":"example.org","secret":"…","address":"203.0.113.7"}
//	{"op":"exists","user":"alice","host":"example.org"}
//
//	200 {"result":"yes"|"no"|"unknown"}
//
// "address" is the person's, and may be left out. A yes to "auth" also has
// "account", "session" and "credential", what the password hangs on; an unknown
// has "reason", which is "throttled" when nothing is wrong but too many wrong
// passwords were tried.
//
//	POST /prosody/revocations
//	Authorization: Bearer SECRET
//	{"after":7}
//
//	200 {"seq":9,"ended":[{"kind":"credential"|"session"|"account","subject":"…","user":"…","account":"…","reason":"…"}]}
//
// holds what ended after entry 7, oldest first and at most 500 of it; "seq" is
// the next "after". -1 asks for the present end alone. 503 when the feed cannot
// be read now.
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
	asked := Question{Front: "prosody", Address: q.Address, User: q.User, Host: q.Host, Secret: string(q.Secret)}
	answer := map[string]string{}
	if q.Op == opExists {
		answer["result"] = string(p.core.Exists(r.Context(), asked))
	} else {
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
	after, err := parseAfter(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
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
	}{last, ended})
}

const (
	opAuth   = "auth"
	opExists = "exists"
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
	case q.Op != opAuth && q.Op != opExists:
		return question{}, errors.New(`"op" must be "auth" or "exists"`)
	case q.Op == opAuth && q.Secret == "":
		return question{}, errors.New(`"secret" is missing`)
	case q.Op == opExists && q.Secret != "":
		return question{}, errors.New(`"exists" takes no "secret"`)
	}
	return q, nil
}

// parseAfter reads the body of a question for what ended.
func parseAfter(body []byte) (int64, error) {
	var q struct{ After *int64 }
	if err := parseObject(body, &q); err != nil {
		return 0, err
	}
	if q.After == nil || *q.After < -1 {
		return 0, errors.New(`"after" must be a whole number from -1`)
	}
	return *q.After, nil
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
