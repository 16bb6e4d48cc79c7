package mastodontest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Mode says which server to be like.
type Mode string

// The modes.
const (
	V46        Mode = "4.6"
	V43        Mode = "4.3"
	GoToSocial Mode = "gotosocial"
)

// Password is everyone's password.
const Password = "password"

// Options configures a Server. The zero value is a 4.6 server for social.example.
type Options struct {
	Mode   Mode
	Domain string // local domain, the one in handles; default social.example
	Title  string // default "Social Example"
	// Origin is the server's own origin in links; by default taken from each request.
	Origin string
	// Follows is how many generated people alice, bob and carol follow each, beside
	// the handful everyone has.
	Follows int
	// RateLimit scales the limits: 0 = those of the real server, negative = count and
	// tell, but never refuse, n = n requests where the real server allows 300.
	RateLimit int
	// Control opens POST /__control.
	Control bool
	// EmbedUpstream is the origin of Trunkline's web client. The shell then carries its
	// script, and GET /trunkline/… is passed on to it without cookies.
	EmbedUpstream string

	Now  func() time.Time // default time.Now
	Rand io.Reader        // default crypto/rand
	Log  *slog.Logger     // default: nothing is logged
}

// Server is the stand-in, an http.Handler.
type Server struct {
	opt     Options
	mode    Mode
	handler http.Handler
	now     func() time.Time
	// upstream is for EmbedUpstream; it keeps no connection, and so no goroutine.
	upstream *http.Transport

	mu      sync.Mutex // guards everything below
	randM   io.Reader
	people  people
	oauth   oauthStore
	logins  map[string]*login
	limits  map[string]*window
	faults  faults
	circles circles
	counts  Counters
	embed   string
	file    string // of KeepState
}

// Counters is what has happened so far. Live is the number of access tokens that are
// good now.
type Counters struct {
	AppsRegistered  int `json:"apps_registered"`
	CodesIssued     int `json:"codes_issued"`
	TokensIssued    int `json:"tokens_issued"` // answers with a token, reused ones too
	TokensRevoked   int `json:"tokens_revoked"`
	TokensLive      int `json:"tokens_live"`
	Denied          int `json:"denied"`
	AbandonedLogins int `json:"abandoned_logins"` // allow pages shown and not yet answered
	SignIns         int `json:"sign_ins"`
	APICalls        int `json:"api_calls"`
	RateLimited     int `json:"rate_limited"`
}

// New makes a server. It panics if the mode is none of the three.
func New(o Options) *Server {
	switch o.Mode {
	case "":
		o.Mode = V46
	case V46, V43, GoToSocial:
	default:
		panic("mastodontest: unknown mode " + string(o.Mode))
	}
	if o.Domain == "" {
		o.Domain = "social.example"
	}
	if o.Title == "" {
		o.Title = "Social Example"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		opt: o, mode: o.Mode, now: o.Now, randM: o.Rand, upstream: &http.Transport{DisableKeepAlives: true},
		logins: map[string]*login{},
		limits: map[string]*window{},
		embed:  strings.TrimSuffix(o.EmbedUpstream, "/"),
	}
	s.oauth.init()
	s.people.init(s.mode, o.Domain)
	for _, name := range Names {
		s.people.generate(name, o.Follows)
	}
	s.handler = s.routes()
	return s
}

// Names are the people made to sign in.
var Names = []string{"alice", "bob", "carol"}

// ServeHTTP answers as the instance.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Listen serves on addr ("127.0.0.1:0" for any free port) until stop is called, and
// returns the origin to reach it at.
func (s *Server) Listen(addr string) (origin string, stop func(), err error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, err
	}
	hs := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := hs.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.opt.Log.Error("stand-in Mastodon stopped", "error", err)
		}
	}()
	stop = func() {
		s.SetDown(DownNo)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if hs.Shutdown(ctx) != nil {
			hs.Close()
		}
		<-done
	}
	return "http://" + ln.Addr().String(), stop, nil
}

// SetEmbedUpstream changes Options.EmbedUpstream, for when it starts later.
func (s *Server) SetEmbedUpstream(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.embed = strings.TrimSuffix(origin, "/")
}

// Counters tells what has happened so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	for _, t := range s.oauth.Tokens {
		if !t.Revoked {
			c.TokensLive++
		}
	}
	c.AbandonedLogins = len(s.oauth.shown)
	return c
}

// token makes n random bytes readable. The lock must be held.
func (s *Server) token(n int) string {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.randM, b); err != nil {
		panic("mastodontest: no randomness: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// origin is how the person who sent r reaches us.
func (s *Server) origin(r *http.Request) string {
	if s.opt.Origin != "" {
		return strings.TrimSuffix(s.opt.Origin, "/")
	}
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

func (s *Server) gts() bool { return s.mode == GoToSocial }
