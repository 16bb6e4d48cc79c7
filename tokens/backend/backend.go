// Package backend answers the questions that XMPP servers ask about passwords
// and people, each server family in its own format: one small file per format
// over one Verifier.
//
// Promises: every answer comes within 2 seconds, whatever the Verifier does;
// "cannot tell now" is never told as "no" where the format has a word for it;
// a caller without the shared secret learns nothing; no password is logged or
// read from a URL.
//
// Goroutines: one per question, so that a Verifier that hangs cannot hold the
// answer back. There are at most maxAsking of them; each ends when the Verifier
// returns.
package backend

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Verifier knows the truth. An error means that it cannot be told now.
type Verifier interface {
	Verify(ctx context.Context, username, secret string) (bool, error)
	Exists(ctx context.Context, username string) (bool, error)
}

const (
	// thinkTime leaves the answer some time to arrive within 2 seconds.
	thinkTime = 1500 * time.Millisecond

	// maxAsking bounds the questions that wait for the Verifier at once.
	maxAsking = 256
)

// answer is one of the three.
type answer string

const (
	yes     answer = "yes"
	no      answer = "no"
	unknown answer = "unknown"
)

// asker puts questions to a Verifier, with a deadline that holds.
type asker struct {
	slots chan struct{}
	log   *slog.Logger
}

func newAsker(log *slog.Logger) *asker {
	return &asker{slots: make(chan struct{}, maxAsking), log: log}
}

// ask runs question and returns within thinkTime. question must not touch the
// request: it may still run afterwards.
func (a *asker) ask(ctx context.Context, question func(context.Context) (bool, error)) answer {
	ctx, cancel := context.WithTimeout(ctx, thinkTime)
	defer cancel()
	select {
	case a.slots <- struct{}{}:
	default:
		a.log.WarnContext(ctx, "backend: too many questions at once")
		return unknown
	}
	result := make(chan answer, 1)
	go func() {
		defer func() { <-a.slots }()
		ok, err := question(ctx)
		switch {
		case err != nil:
			a.log.WarnContext(ctx, "backend: cannot tell now", "error", err)
			result <- unknown
		case ok:
			result <- yes
		default:
			result <- no
		}
	}()
	select {
	case r := <-result:
		return r
	case <-ctx.Done():
		a.log.WarnContext(ctx, "backend: no answer in time")
		return unknown
	}
}

// bearer says whether the request carries the shared secret (RFC 6750 section
// 2.1). An empty shared secret matches nothing.
func bearer(r *http.Request, secret []byte) bool {
	const scheme = "bearer "
	header := r.Header.Get("Authorization")
	if len(secret) == 0 || len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return false
	}
	// Hashed first, for the comparison's time tells the length.
	got, want := sha256.Sum256([]byte(header[len(scheme):])), sha256.Sum256(secret)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
