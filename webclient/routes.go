package webclient

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trunkline-chat/trunkline/static"
)

// handler answers a request or returns an error that nothing of it was answered.
type handler func(w http.ResponseWriter, r *http.Request) error

// verbs are the methods of one path. GET answers HEAD too.
type verbs map[string]handler

const (
	bodyLimit       = 4 << 10
	importBodyLimit = 1 << 20
)

// Handler answers every public route but /xmpp-websocket. Nothing in it keeps a
// session open while it works.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	api := func(path string, limit int64, v verbs) { mux.Handle(path, s.api(limit, s.pace.body, v)) }

	api("/api/v1/session", bodyLimit, verbs{"GET": s.signedIn(s.showSession)})
	api("/api/v1/credentials", bodyLimit, verbs{"GET": s.signedIn(s.issueCredentials), "POST": s.signedIn(s.issueCredentials)})
	api("/api/v1/consent", bodyLimit, verbs{"GET": s.signedIn(s.showConsent), "PUT": s.signedIn(s.changeConsent)})
	api("/api/v1/follows", bodyLimit, verbs{"GET": s.signedIn(s.listFollows)})
	api("/api/v1/imports", importBodyLimit, verbs{"POST": s.signedIn(s.startImport)})
	api("/api/v1/imports/{id}", bodyLimit, verbs{"GET": s.signedIn(s.showImport)})
	api("/api/v1/imports/{id}/events", bodyLimit, verbs{"GET": s.signedIn(s.followImport)})
	api("/api/v1/devices", bodyLimit, verbs{"GET": s.signedIn(s.listDevices), "POST": s.signedIn(s.createDevice)})
	api("/api/v1/devices/{id}", bodyLimit, verbs{"DELETE": s.signedIn(s.deleteDevice)})
	api("/api/", bodyLimit, nil)
	api("/auth/logout", bodyLimit, verbs{"POST": s.signOut})
	api("/auth/handoff", bodyLimit, verbs{"POST": s.takeOver})

	mux.Handle("/hooks/mastodon", s.api(hookBodyLimit, s.pace.hookBody, verbs{"POST": s.mastodonHook}))
	mux.Handle("/auth/login", s.page(pageCallback, verbs{"GET": s.beginLogin}))
	mux.Handle("/auth/callback", s.page(pageCallback, verbs{"GET": s.endOfLogin}))
	mux.Handle("/panel", s.page(pagePanel, verbs{"GET": s.showPanel}))
	mux.Handle("/assets/", headers(s.policy(pageAsset), static.Handler()))
	mux.Handle("/trunkline/embed.js", s.page(pageEmbed, verbs{"GET": s.showEmbed}))
	mux.Handle("/", headers(s.policy(pageAsset), http.HandlerFunc(http.NotFound)))
	return s.withoutCrossOrigin(mux)
}

// withoutCrossOrigin refuses state changes that another origin's page asks for
// (Fetch Metadata, http.CrossOriginProtection).
func (s *Server) withoutCrossOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	// A proxy may show us another Host than browsers see.
	if err := protection.AddTrustedOrigin(s.cfg.PublicURL); err != nil {
		s.cfg.Log.Error("the public URL is not usable as an origin", "error", err) // New has checked it
	}
	protection.SetDenyHandler(headers(s.policy(pageAPI), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, errCrossOrigin)
	})))
	return protection.Handler(next)
}

// api serves JSON routes: JSON in, JSON out, also for errors, and only to our own
// origin, for reading too. A body may have limit bytes and take as long as within.
func (s *Server) api(limit int64, within time.Duration, v verbs) http.Handler {
	return headers(s.policy(pageAPI), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
			s.refuse(w, r, errCrossOrigin)
			return
		}
		h, err := v.pick(w, r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		s.limitBody(w, r, limit, within)
		if err := h(w, r); err != nil {
			s.refuse(w, r, err)
		}
	}))
}

// limitBody bounds a request's body in size and in time. A body that trickles in
// would hold its handler as long as it likes otherwise.
func (s *Server) limitBody(w http.ResponseWriter, r *http.Request, limit int64, within time.Duration) {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if r.ContentLength == 0 {
		return
	}
	// net/http lifts the deadline at the body's end: what comes then may last. An
	// error means that this is no connection that has deadlines.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within))
}

// page serves routes for people: their errors are plain text.
func (s *Server) page(kind pageKind, v verbs) http.Handler {
	return headers(s.policy(kind), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, err := v.pick(w, r)
		if err == nil {
			err = h(w, r)
		}
		if err != nil {
			told := asAPIError(err)
			s.logRefusal(r, told)
			http.Error(w, told.message, told.status)
		}
	}))
}

// pick is the handler for the request's method.
func (v verbs) pick(w http.ResponseWriter, r *http.Request) (handler, error) {
	if len(v) == 0 {
		return nil, errNotFound
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := v[method]; ok {
		return h, nil
	}
	allowed := slices.Sorted(maps.Keys(v))
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return nil, errMethod
}

// refuse tells an error as JSON.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	told := asAPIError(err)
	s.logRefusal(r, told)
	body := struct {
		Error      string `json:"error"`
		Message    string `json:"message"`
		RetryAfter int    `json:"retry_after,omitempty"`
	}{Error: told.code, Message: told.message}
	if told.retryAfter > 0 {
		body.RetryAfter = seconds(told.retryAfter)
		w.Header().Set("Retry-After", strconv.Itoa(body.RetryAfter))
	}
	s.answer(w, r, told.status, body)
}

func (s *Server) logRefusal(r *http.Request, told *apiError) {
	if told.err != nil && r.Context().Err() == nil {
		s.cfg.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path,
			"code", told.code, "error", told.err)
	}
}

// answer writes body as JSON.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		s.cfg.Log.ErrorContext(r.Context(), "an answer cannot be encoded", "path", r.URL.Path, "error", err)
		raw, status = []byte(`{"error":"internal","message":"Something went wrong."}`), http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the browser went away: nobody is left to tell
}

// readBody is the JSON body of a request, as bytes.
func readBody(r *http.Request) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, errNotJSON
	}
	raw, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, badRequest("The request did not arrive whole.")
	}
	return raw, nil
}

// readJSON decodes the body of a request into v.
func readJSON(r *http.Request, v any) error {
	raw, err := readBody(r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return badRequest("The request is not the JSON that belongs here.")
	}
	return nil
}
