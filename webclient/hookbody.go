package webclient

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	hookBodyLimit = 1 << 20
	hookBodySmall = 64 << 10 // Mastodon's are a few KiB

	// Bodies that are not small and are being read: in all, and of one address.
	hookBigBodies, hookBigBodiesPerAddr = 8, 2

	// Forgeries of one address that are answered with 403 and logged each.
	forgeriesAtOnce = 20
	forgeryEvery    = 10 * time.Second
)

var (
	errHookForged = &apiError{status: http.StatusForbidden, code: "bad_signature",
		message: "The signature does not fit. Compare the webhook's signing secret in Mastodon with Trunkline's configuration."}
	errHookStrain = &apiError{status: http.StatusTooManyRequests, code: "rate_limited", retryAfter: 10 * time.Second,
		message: "Too many webhooks at once. Send this one again later."}
)

// signedHook is the body of a request that Mastodon has signed. Nothing is held
// against a request before its signature was checked but its size: what strangers
// send must not stand in the way of what Mastodon sends, whoever's address it has.
func (s *Server) signedHook(r *http.Request) ([]byte, error) {
	addr := s.clientAddr(r)
	raw, err := s.hookBodies.read(r.Body, network(addr))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errHookStrain):
		s.metrics.hooks.WithLabelValues(hookStrain).Inc()
		return nil, errHookStrain
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, badRequest("The request did not arrive whole.")
	case !signedBy(s.cfg.WebhookSecret, r.Header.Get("X-Hub-Signature"), raw):
		return nil, s.forged(r.Context(), addr)
	}
	return raw, nil
}

// forged counts a request that somebody else signed, or nobody.
func (s *Server) forged(ctx context.Context, addr netip.Addr) error {
	s.metrics.hooks.WithLabelValues(hookForged).Inc()
	if s.forgeries.wait(network(addr).String(), s.cfg.Now()) > 0 {
		return errHookStrain
	}
	s.cfg.Log.WarnContext(ctx, "a webhook's signature does not fit; is its secret the one in the configuration?",
		"address", addr)
	return errHookForged
}

// signedBy checks "sha256=HEX", the HMAC of body under secret.
func signedBy(secret []byte, signature string, body []byte) bool {
	digits, ok := strings.CutPrefix(signature, "sha256=")
	claimed, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), claimed)
}

// hookBodies bounds the memory that big bodies take. Small ones are read at once:
// their connections cost more than they do. Any goroutine may call its methods.
type hookBodies struct {
	mu     sync.Mutex
	all    int
	byAddr map[netip.Prefix]int
}

// read reads body to its end, or returns errHookStrain if it is big and too many
// others are, too.
func (h *hookBodies) read(body io.Reader, from netip.Prefix) ([]byte, error) {
	small, err := io.ReadAll(io.LimitReader(body, hookBodySmall+1))
	if err != nil || len(small) <= hookBodySmall {
		return small, err
	}
	if !h.enter(from) {
		return nil, errHookStrain
	}
	defer h.leave(from)
	rest, err := io.ReadAll(body)
	return append(small, rest...), err
}

func (h *hookBodies) enter(from netip.Prefix) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all >= hookBigBodies || h.byAddr[from] >= hookBigBodiesPerAddr {
		return false
	}
	if h.byAddr == nil {
		h.byAddr = map[netip.Prefix]int{}
	}
	h.all++
	h.byAddr[from]++
	return true
}

func (h *hookBodies) leave(from netip.Prefix) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all--
	if h.byAddr[from]--; h.byAddr[from] == 0 {
		delete(h.byAddr, from)
	}
}

// count is how many big bodies are being read.
func (h *hookBodies) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}
