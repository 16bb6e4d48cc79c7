package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// Gateway opens streams between browsers and one XMPP server. Any goroutine
// may call its methods.
type Gateway struct {
	cfg     Config
	limits  Limits
	log     *slog.Logger
	metrics *metrics
	streams *registry
	pulse   pulse
	resting resting
	asleep  *hibernation
	paces   *paces
	guesses *guesses
	node    string // names this process in saved states

	upstream *upstream
	commands *policy.Commands // that no browser may run
}

// New checks the configuration. The gateway serves at once; Run does what must
// happen besides.
func New(cfg Config) (*Gateway, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	node := make([]byte, 8)
	if _, err := io.ReadFull(cfg.Rand, node); err != nil {
		return nil, fmt.Errorf("gateway: a name for this process: %w", err)
	}
	up, err := newUpstream(cfg)
	if err != nil {
		return nil, err
	}
	began := cfg.Now()
	clock := func() int64 { return int64(cfg.Now().Sub(began)) } // not moved by a change of the date
	commands, err := policy.NewCommands(cfg.ForbiddenCommands)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{
		commands: commands, upstream: up, paces: newPaces(cfg.Limits, clock), guesses: newGuesses(clock, cfg.Limits.LoginDelay),
		node: hex.EncodeToString(node), cfg: cfg, limits: cfg.Limits, log: cfg.Log, metrics: m,
		streams: newRegistry(cfg.Limits), asleep: newHibernation(cfg.Now, cfg.Log, cfg.Limits.PerAccount),
	}
	g.guesses.apart = cfg.Upstream.ProxyProtocol
	return g, m.watch(cfg.Metrics, g)
}

// Streams is how many streams are open now.
func (g *Gateway) Streams() int { return g.streams.count() }

// CloseCredential ends the streams that a credential opened, with
// not-authorized and the reason for the log. It returns at once; the streams
// are gone within 5 s. Sessions that the XMPP server still keeps for a
// resumption are ended by Run.
func (g *Gateway) CloseCredential(credential, reason string) {
	g.revoke(byCredential, credential, reason)
	g.asleep.revoke(func(r *sleeper) bool { return r.credential == credential })
}

// CloseSession is CloseCredential for all credentials of a browser's login.
func (g *Gateway) CloseSession(session, reason string) {
	g.revoke(bySession, session, reason)
	g.asleep.revoke(func(r *sleeper) bool { return r.session == session })
}

// CloseAccount is CloseCredential for everything a person has open.
func (g *Gateway) CloseAccount(account, reason string) {
	g.revoke(byAccount, account, reason)
	g.asleep.revoke(func(r *sleeper) bool { return r.account == account })
}

func (g *Gateway) revoke(index func(*registry) map[string][]*stream, key, reason string) {
	g.streams.revocations.Add(1)
	e := endRevoked
	e.detail = reason
	for _, s := range g.streams.of(index, key) {
		s.doomed.Store(true)
		s.finish(e)
	}
}

// ConsentChanged tells the live streams of an account what may be shown from
// now on, and returns when they obey. A stream that shows more ends: at once,
// or after the grace for clients that take the steps themselves. Sessions that
// wait for a resumption under a wider consent are ended by Run.
func (g *Gateway) ConsentChanged(account string, presence, typing, receipts bool) {
	for _, s := range g.streams.of(byAccount, account) {
		s.setConsent(account, policy.Consent{Presence: presence, Typing: typing, Receipts: receipts})
	}
	g.asleep.end(func(r *sleeper) bool {
		return r.account == account && r.shown != presence && (r.shown || !r.aware)
	})
}

// Run finds the browsers that are gone without a word, lets go of what silent
// streams do not need, and ends the sessions that must not wait for a
// resumption any longer, those that an earlier process left behind included.
// It returns nil when ctx has ended and its goroutines with it.
func (g *Gateway) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { g.recall(ctx) })
	wg.Go(func() { g.upstream.watch(ctx) })
	wg.Go(func() { g.pulse.run(ctx, g.limits.turn()) })
	wg.Go(func() {
		if err := g.resting.run(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("gateway: silent streams keep their goroutines", "error", err)
		}
	})
	due := make(chan sleeper)
	for range g.limits.EndedAtOnce {
		wg.Go(func() { g.endSessions(ctx, due) })
	}
	g.asleep.run(ctx, due)
	return nil
}
