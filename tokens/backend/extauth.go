package backend

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// Extauth answers "trunkline extauth", the program that ejabberd starts, to be
// mounted at /extauth of the private listener:
//
//	POST /extauth
//	Authorization: Bearer SECRET
//	{"op":"auth","user":"alice","host":"example.org","secret":"…"}
//	{"op":"isuser","user":"alice","host":"example.org"}
//	{"op":"setpass"|"tryregister"|"removeuser"|"removeuser3","user":"alice","host":"example.org"}
//
//	200 {"result":"yes"|"no"|"unknown"}
//
// Passwords and people are made in Mastodon and Trunkline: the operations of the
// last kind are always "no", and recorded. They take no secret.
//
// A wrong answer is not held back as those of other fronts are: the program has
// one question at a time, and other people's logins wait behind it.
//
// 401 for a wrong or missing secret, 400 for a body that is no such request, 413
// for one over 4 KiB, 405 for another method; these have a JSON body
// {"error":"…"}.
func Extauth(core *Core, secret []byte, log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	secret = bytes.Clone(secret)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "ask with POST")
			return
		}
		if !bearer(r, secret) {
			log.WarnContext(r.Context(), "backend: question with a wrong shared secret", "front", frontExtauth, "remote", r.RemoteAddr)
			w.Header().Set("WWW-Authenticate", `Bearer realm="trunkline"`)
			refuse(w, http.StatusUnauthorized, "wrong shared secret")
			return
		}
		body, ok := readBody(w, r, maxBody)
		if !ok {
			return
		}
		q, err := parseExtauth(body)
		if err != nil {
			log.WarnContext(r.Context(), "backend: malformed question", "front", frontExtauth, "error", err)
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		answer := q.ask(r, core)
		log.DebugContext(r.Context(), "backend: answered", "front", frontExtauth,
			"op", q.Op, "user", q.User, "host", q.Host, "result", string(answer))
		reply(w, http.StatusOK, map[string]Answer{"result": answer})
	})
}

const frontExtauth = "extauth"

// extauthQuestion is the body of a request.
type extauthQuestion struct {
	Op     string   `json:"op"`
	User   string   `json:"user"`
	Host   string   `json:"host"`
	Secret password `json:"secret"`
}

func (q extauthQuestion) ask(r *http.Request, core *Core) Answer {
	asked := Question{Front: frontExtauth, Caller: caller(r), User: q.User, Host: q.Host, Secret: string(q.Secret), Prompt: true}
	switch q.Op {
	case "auth":
		return core.Auth(r.Context(), asked).Answer
	case "isuser":
		return core.Exists(r.Context(), asked)
	}
	core.Record(Event{
		Front: frontExtauth, Caller: asked.Caller, Op: q.Op, Username: strings.ToLower(q.User), Outcome: string(No), Reason: "unsupported",
	})
	return No
}

// parseExtauth reads a body. Its errors do not quote it.
func parseExtauth(body []byte) (extauthQuestion, error) {
	var q extauthQuestion
	if err := parseObject(body, &q); err != nil {
		return extauthQuestion{}, err
	}
	for name, value := range map[string]string{"user": q.User, "host": q.Host} {
		if value == "" || len(value) > maxPart {
			return extauthQuestion{}, fmt.Errorf("%q is missing or too long", name)
		}
	}
	switch q.Op {
	case "auth":
		if q.Secret == "" {
			return extauthQuestion{}, fmt.Errorf(`"secret" is missing`)
		}
		return q, nil
	case "isuser", "setpass", "tryregister", "removeuser", "removeuser3":
		if q.Secret != "" {
			return extauthQuestion{}, fmt.Errorf(`only "auth" takes a "secret"`)
		}
		return q, nil
	}
	return extauthQuestion{}, fmt.Errorf(`"op" must be "auth", "isuser" or one that changes people`)
}
