// Package backend answers the questions that XMPP and SIP servers ask about
// passwords and people, each server family in its own format: one small file
// per format over one Core.
//
// Promises: every answer comes within 2 seconds, whatever stands behind; "cannot
// tell now" is never told as "no" where the format has a word for it; a caller
// without its shared secret learns nothing; no password is logged, and none is
// read from a URL but in the one format that has it there (AuthHTTP). Nobody can lock another person out: a password that Trunkline issued is
// answered at once however many wrong ones were tried before it, and what may be
// guessed, a Mastodon password, is throttled before it is looked at.
//
// Goroutines: one per question, so that a Verifier that hangs cannot hold the
// answer back. There are some hundreds of them at most, see lane; each ends when
// the Verifier or the Fallback returns.
package backend

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Verifier knows what Trunkline issued and to whom. An error means that it
// cannot be told now.
type Verifier interface {
	// Check says whether secret is username's password for service ("xmpp" or
	// "sip"). front is who asks, from the person's address as text or "". reason is
	// a stable word. account, session and credential say what the password hangs
	// on, each "" where there is none.
	Check(ctx context.Context, service, username, secret, front, from string) (
		ok bool, reason, account, session, credential string, err error)
	Exists(ctx context.Context, username string) (bool, error)
	// Welcome says whether username may come in with a password that somebody else,
	// such as a directory, has found right: nothing is known against them.
	Welcome(ctx context.Context, username string) (bool, error)
}

// Fallback knows passwords that Trunkline did not issue and that people made up
// themselves. It is asked only about what does not look like one of ours.
type Fallback interface {
	Check(ctx context.Context, username, password string) (ok bool, reason string, err error)
}

// Recorder keeps who asked what. Record never blocks.
type Recorder interface{ Record(Event) }

// Event is one decision. It never holds a secret.
type Event struct {
	Front, Caller, Op             string // Op: "auth", "welcome" or a front's own word
	Username, Account, Credential string
	Address                       string // the person's, "" where the front does not know it
	Outcome, Reason               string // Outcome: an Answer
}

// Answer is one of three.
type Answer string

// The answers. Unknown means "cannot tell now; ask again".
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Reasons that the Core gives of its own; others are the Verifier's.
const (
	ReasonOK        = "ok"
	ReasonOtherHost = "other_host" // not our domain
	ReasonTrouble   = "trouble"    // what stands behind failed; its error is in the log
	ReasonLate      = "late"       // no answer in time
	ReasonBusy      = "busy"       // too many questions at once
	ReasonThrottled = "throttled"  // too many wrong guesses; see Result.RetryAfter
	ReasonUnwelcome = "unwelcome"  // suspended or blocked, whatever the password
)

// Question is what a front was asked.
type Question struct {
	Front   string // "prosody", "extauth", …: a fixed word
	Caller  string // which server asks: its certificate's name or its address
	Address string // the person's IP address as text; "" or nonsense is no address
	Service string // "xmpp" if empty
	User    string // as typed; compared without case
	Host    string // the domain asked about; "" where the format has none
	Secret  string
	Prompt  bool // hold no wrong answer back: others wait behind it
}

// Result answers Auth.
type Result struct {
	Answer                       Answer
	Reason                       string        // a stable word
	Account, Session, Credential string        // of a Yes, where there are
	RetryAfter                   time.Duration // of ReasonThrottled: when it is worth asking again

	held time.Duration // of all the time taken, what the guard added
}

// Verdict is what a check found, for AuthBy.
type Verdict struct {
	OK                                   bool
	Reason, Account, Session, Credential string
}

const (
	// thinkTime leaves the answer some time to arrive within 2 seconds.
	thinkTime = 1500 * time.Millisecond

	// maxAsking bounds the questions that wait for the Verifier at once.
	maxAsking = 256

	// lastHold is when a wrong answer that is held back must go, at the latest.
	lastHold = 1400 * time.Millisecond
)

// CoreConfig is what a Core needs. Verifier and Domain are required.
type CoreConfig struct {
	Verifier Verifier
	Fallback Fallback // nil: only what Trunkline issued is right
	Recorder Recorder // nil: nothing is kept
	Domain   string   // the XMPP domain
	Now      func() time.Time
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: nobody can see them
}

// Core decides for all fronts. Any goroutine may call any method.
type Core struct {
	verifier Verifier
	fallback Fallback
	recorder Recorder
	domain   string
	log      *slog.Logger
	guard    *guard
	metrics  *metrics

	// Each kind of question has room of its own, so that none can take the others'.
	// What the database alone answers is quick; a device's password and whether
	// somebody exists may wait for Mastodon.
	quick, devices, existence, strangers, regulars *lane
}

// NewCore checks the configuration. It starts nothing.
func NewCore(cfg CoreConfig) (*Core, error) {
	if cfg.Verifier == nil || cfg.Domain == "" {
		return nil, errors.New("backend: a core needs a verifier and a domain")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	return &Core{
		verifier: cfg.Verifier, fallback: cfg.Fallback, recorder: cfg.Recorder, domain: strings.ToLower(cfg.Domain),
		log: cfg.Log, guard: newGuard(cfg.Now), metrics: m,
		quick: newLane(maxAsking, maxAsking), devices: newLane(maxAsking, maxAsking), existence: newLane(maxAsking, maxAsking),
		strangers: newLane(2, 16), regulars: newLane(4, 64),
	}, nil
}
