package backend

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"
)

// AuthHTTP answers Prosody's community module mod_auth_http, to be mounted at
// /prosody/ of the private listener with http_auth_url = ".../prosody":
//
//	GET /prosody/check_password?user=alice&server=example.org&pass=…
//	GET /prosody/user_exists?user=alice&server=example.org
//	Authorization: Basic base64(USER:SECRET)
//
// A yes is the status 200 with the body true and no newline; the module takes
// everything else for a no. A wrong password is 403, somebody who does not exist
// 200 with the body false. The format has no word for "cannot tell now": a
// password is then refused with 503, and somebody exists, since a message that
// bounces is lost and one that is kept is not. Passwords and people are made in
// Mastodon and Trunkline: set_password, register and remove_user are 501.
//
// 401 for wrong HTTP Basic credentials, 400 for a query that is no such question,
// 405 for another method.
//
// The format puts the password into the query. Nothing here logs a query or quotes
// it in an error, and nothing in front of the private listener may.
func AuthHTTP(core *Core, user string, secret []byte) http.Handler {
	a := &authHTTP{core: core, user: []byte(user), secret: bytes.Clone(secret)}
	mux := http.NewServeMux()
	mux.Handle("/prosody/check_password", a.admit(http.MethodGet, a.checkPassword))
	mux.Handle("/prosody/user_exists", a.admit(http.MethodGet, a.userExists))
	for _, op := range []string{"set_password", "register", "remove_user"} {
		mux.Handle("/prosody/"+op, a.admit(http.MethodPost, a.unsupported))
	}
	return mux
}

const frontAuthHTTP = "auth_http"

type authHTTP struct {
	core         *Core
	user, secret []byte
}

// admit lets through those who know the secret.
func (a *authHTTP) admit(method string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, secret, ok := r.BasicAuth()
		known := same(user, a.user)
		if !same(secret, a.secret) || !known || !ok {
			a.core.log.WarnContext(r.Context(), "backend: question with wrong HTTP Basic credentials",
				"front", frontAuthHTTP, "remote", r.RemoteAddr)
			w.Header().Set("WWW-Authenticate", `Basic realm="trunkline", charset="UTF-8"`)
			plain(w, http.StatusUnauthorized, "wrong user or password in http_auth_credentials")
			return
		}
		if r.Method != method {
			w.Header().Set("Allow", method)
			plain(w, http.StatusMethodNotAllowed, "ask with "+method)
			return
		}
		next(w, r)
	}
}

func (a *authHTTP) checkPassword(w http.ResponseWriter, r *http.Request) {
	q, ok := a.question(w, r, true)
	if !ok {
		return
	}
	result := a.core.Auth(r.Context(), q)
	switch result.Answer {
	case Yes:
		plain(w, http.StatusOK, "true")
	case No:
		plain(w, http.StatusForbidden, "false")
	default:
		w.Header().Set("Retry-After", retryAfter(result))
		plain(w, http.StatusServiceUnavailable, "cannot tell now")
	}
}

func (a *authHTTP) userExists(w http.ResponseWriter, r *http.Request) {
	q, ok := a.question(w, r, false)
	if !ok {
		return
	}
	if a.core.Exists(r.Context(), q) == No {
		plain(w, http.StatusOK, "false")
		return
	}
	plain(w, http.StatusOK, "true")
}

func (a *authHTTP) unsupported(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusNotImplemented, "passwords and people are made in Trunkline's panel and in Mastodon, not here")
}

// question reads the query, or refuses the request.
func (a *authHTTP) question(w http.ResponseWriter, r *http.Request, withPassword bool) (Question, bool) {
	q, err := parseAuthQuery(r.URL.RawQuery, withPassword)
	if err != nil {
		a.core.log.WarnContext(r.Context(), "backend: malformed question", "front", frontAuthHTTP, "error", err)
		plain(w, http.StatusBadRequest, err.Error())
		return Question{}, false
	}
	q.Front = frontAuthHTTP
	q.Caller = caller(r)
	return q, true
}

// parseAuthQuery reads user, server and, if asked for, pass, each of which must be
// there once, in any order. Other parameters are passed over, but not a second
// password. Its errors do not quote the query.
func parseAuthQuery(raw string, withPassword bool) (Question, error) {
	form, err := parseForm(raw)
	if err != nil {
		return Question{}, err
	}
	q := Question{User: form.Get("user"), Host: form.Get("server"), Secret: form.Get("pass")}
	switch {
	case q.User == "" || len(q.User) > maxPart:
		return Question{}, errors.New(`"user" is missing or too long`)
	case q.Host == "" || len(q.Host) > maxPart:
		return Question{}, errors.New(`"server" is missing or too long`)
	case withPassword && q.Secret == "":
		return Question{}, errors.New(`"pass" is missing`)
	case !withPassword && form.Has("pass"):
		return Question{}, errors.New(`this question takes no "pass"`)
	}
	return q, nil
}

// parseForm reads application/x-www-form-urlencoded text in UTF-8 that names
// nothing twice (RFC 6749 section 3.2 asks for that, and two readers of one text
// could differ on which one counts). Its errors do not quote the text, as those of
// net/url do.
func parseForm(raw string) (url.Values, error) {
	if len(raw) > maxForm {
		return nil, errors.New("the parameters are too long")
	}
	form, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errors.New("the parameters are not form-encoded")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, errors.New("a parameter is there twice")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return nil, errors.New("the parameters are not UTF-8")
		}
	}
	return form, nil
}

// maxForm is more than a name and a password of 1,000 bytes each need, however
// escaped.
const maxForm = 8 << 10

// retryAfter is the header's value: whole seconds, at least one (RFC 9110 section
// 10.2.3).
func retryAfter(r Result) string {
	return strconv.Itoa(max(1, int(math.Ceil(min(r.RetryAfter, time.Hour).Seconds()))))
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the caller has gone: nobody to tell
}
