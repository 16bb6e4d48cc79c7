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
	"strings"
	"unicode/utf8"
)

// maxBody is more than a password of 1,000 bytes needs, however escaped.
const maxBody = 4 << 10

// maxPart bounds a localpart or a domain (RFC 7622 section 3.1).
const maxPart = 1023

// Prosody answers contrib/prosody/mod_auth_trunkline.lua, to be mounted at
// /verify of the private listener:
//
//	POST /verify
//	Authorization: Bearer SECRET
//	{"op":"auth","user":"alice","host":"example.org","secret":"…"}
//	{"op":"exists","user":"alice","host":"example.org"}
//
//	200 {"result":"yes"|"no"|"unknown"}
//
// People of another host than domain do not exist. 401 for a wrong or missing
// secret, 400 for a body that is no such request, 413 for one over 4 KiB, 405
// for another method; these have a JSON body {"error":"…"}.
func Prosody(v Verifier, domain string, secret []byte, log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &prosody{
		verifier: v, domain: strings.ToLower(domain), secret: bytes.Clone(secret), asker: newAsker(log), log: log,
	}
}

type prosody struct {
	verifier Verifier
	domain   string
	secret   []byte
	asker    *asker
	log      *slog.Logger
}

func (p *prosody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			refuse(w, http.StatusRequestEntityTooLarge, "body too large")
		} else {
			refuse(w, http.StatusBadRequest, "body not readable")
		}
		return
	}
	q, err := parseQuestion(body)
	if err != nil {
		p.log.WarnContext(r.Context(), "backend: malformed question", "error", err)
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	result := p.answer(r.Context(), q)
	p.log.DebugContext(r.Context(), "backend: answered", "op", q.Op, "user", q.User, "host", q.Host, "result", string(result))
	reply(w, http.StatusOK, map[string]answer{"result": result})
}

func (p *prosody) answer(ctx context.Context, q question) answer {
	if !strings.EqualFold(q.Host, p.domain) {
		p.log.WarnContext(ctx, "backend: question about another host", "host", q.Host, "domain", p.domain)
		return no
	}
	return p.asker.ask(ctx, func(ctx context.Context) (bool, error) {
		if q.Op == opExists {
			return p.verifier.Exists(ctx, q.User)
		}
		return p.verifier.Verify(ctx, q.User, string(q.Secret))
	})
}

const (
	opAuth   = "auth"
	opExists = "exists"
)

// question is the body of a request.
type question struct {
	Op     string   `json:"op"`
	User   string   `json:"user"`
	Host   string   `json:"host"`
	Secret password `json:"secret,omitempty"`
}

// password does not show itself in logs or errors.
type password string

func (password) String() string       { return "[redacted]" }
func (password) GoString() string     { return "[redacted]" }
func (password) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// parseQuestion reads a body. Its errors do not quote the body. Whether a
// password can be right is not its question: a silly one is simply wrong.
func parseQuestion(body []byte) (question, error) {
	var q question
	if !utf8.Valid(body) {
		return q, errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&q); err != nil {
		return question{}, errors.New("the body is not a JSON object of strings")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return question{}, errors.New("there is something after the JSON object")
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

func refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"error": message})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller has gone: nobody to tell
}
