package backend

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// maxBody is more than a password of 1,000 bytes needs, however escaped.
const maxBody = 4 << 10

// maxPart bounds a localpart or a domain (RFC 7622 section 3.1).
const maxPart = 1023

// bearer says whether the request carries the shared secret (RFC 6750 section
// 2.1). An empty shared secret matches nothing.
func bearer(r *http.Request, secret []byte) bool {
	const scheme = "bearer "
	header := r.Header.Get("Authorization")
	if len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return false
	}
	return same(header[len(scheme):], secret)
}

// same compares what a caller sent with its shared secret, in a time that tells
// nothing. An empty shared secret matches nothing.
func same(sent string, secret []byte) bool {
	// Hashed first, for the comparison's time tells the length.
	got, want := sha256.Sum256([]byte(sent)), sha256.Sum256(secret)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && len(secret) > 0
}

// caller names the server that asks: by its client certificate where the listener
// has verified one, else by its address; "unix" for one that comes through a socket
// in the file system.
func caller(r *http.Request) string {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if name := r.TLS.VerifiedChains[0][0].Subject.CommonName; name != "" {
			return name
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil { // Go writes such an address as "@" or as a path
		return "unix"
	}
	return host
}

// readBody reads a body of at most limit bytes, or refuses the request.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, true
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "body too large")
	default:
		refuse(w, http.StatusBadRequest, "body not readable")
	}
	return nil, false
}

// password does not show itself in logs or errors.
type password string

func (password) String() string   { return "[redacted]" }
func (password) GoString() string { return "[redacted]" }

func refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"error": message})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller has gone: nobody to tell
}
