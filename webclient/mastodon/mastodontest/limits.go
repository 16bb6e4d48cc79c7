package mastodontest

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// window counts the requests of one key in one period; periods are aligned to the
// epoch, as rack-attack does it.
type window struct {
	start time.Time
	count int
}

// limit is one rule that a request falls under.
type limit struct {
	key    string
	max    int
	period time.Duration
}

// limitsOf is rack_attack.rb, and on GoToSocial its one middleware.
func (s *Server) limitsOf(kind string, r *http.Request) []limit {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	if s.gts() {
		return []limit{{"ip " + ip, 300, 5 * time.Minute}}
	}
	switch kind {
	case "apps":
		return []limit{{"apps " + ip, 5, 10 * time.Minute}}
	case "signin":
		return []limit{{"signin " + ip, 25, 5 * time.Minute}}
	case "oauth":
		return nil // not throttled on Mastodon
	}
	who, user := "ip "+ip, "ip "+ip
	if t := s.oauth.Tokens[bearer(r)]; t != nil {
		who, user = "token "+t.Value, "user "+t.User
	}
	ls := []limit{{"api " + who, 300, 5 * time.Minute}}
	if q := r.URL.Query(); q.Has("page") || q.Has("max_id") || q.Has("min_id") || q.Has("since_id") {
		ls = append(ls, limit{"paging " + user, 300, 15 * time.Minute})
	}
	return ls
}

// count takes one request off l and says what is left.
func (s *Server) count(l limit) (remaining int, reset time.Time) {
	now := s.now().UTC()
	start := now.Truncate(l.period)
	w := s.limits[l.key]
	if w == nil || !w.start.Equal(start) {
		w = &window{start: start}
		s.limits[l.key] = w
	}
	w.count++
	return l.max - w.count, start.Add(l.period)
}

// limited puts the rate limits of kind in front of h.
func (s *Server) limited(kind string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.refuse(kind, w, r) {
			s.tooMany(w)
			return
		}
		h(w, r)
	}
}

func (s *Server) refuse(kind string, w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := false
	lowest := -1
	for _, l := range s.limitsOf(kind, r) {
		if s.opt.RateLimit > 0 {
			l.max = max(1, l.max*s.opt.RateLimit/300)
		}
		remaining, reset := s.count(l)
		if remaining < 0 {
			remaining, refused = 0, refused || s.opt.RateLimit >= 0
		}
		if lowest < 0 || remaining < lowest {
			lowest = remaining
			setLimit(w.Header(), l.max, remaining, reset)
		}
	}
	if s.faults.limitNext > 0 && (kind == "api" || kind == "oauth") {
		s.faults.limitNext--
		refused = true
		setLimit(w.Header(), 300, 0, s.now().UTC().Add(2*time.Second))
	}
	if refused {
		s.counts.RateLimited++
	} else if kind == "api" {
		s.counts.APICalls++
	}
	return refused
}

func setLimit(h http.Header, limit, remaining int, reset time.Time) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-RateLimit-Reset", reset.Format("2006-01-02T15:04:05.000000Z07:00"))
}

// tooMany is the 429. There is no Retry-After, on neither kind of server.
func (s *Server) tooMany(w http.ResponseWriter) {
	text := "Too many requests"
	if s.gts() {
		text = "Too Many Requests: rate limit reached"
	}
	apiError(w, http.StatusTooManyRequests, text)
}

// bearer is the token of the request. The scheme's case counts.
func bearer(r *http.Request) string {
	t, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return t
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "private, no-store")
	}
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}

func apiError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text})
}
