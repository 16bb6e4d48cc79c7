package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/audit"
	"github.com/trunkline-chat/trunkline/tokens/backend"
	"github.com/trunkline-chat/trunkline/tokens/mastodondb"
	"github.com/trunkline-chat/trunkline/webclient"
)

func serveCommand() command {
	return command{
		name:    "serve",
		args:    "[--config FILE]",
		summary: "run Trunkline in the foreground until it is told to end",
		text: `It logs to standard error, first of all the addresses that it listens on, and
ends orderly on SIGTERM and SIGINT: streams are told to come back, requests are
finished. Under systemd use Type=notify; contrib/systemd has a unit.

  --config FILE   the configuration (` + defaultConfig + `)`,
		run: runServe,
	}
}

// stanzaRoom is what the gateway may add to an element before the XMPP server
// counts its bytes: namespaces, and the ids of a substitution.
const stanzaRoom = 4096

// drainRequests is the patience with each listener's requests at a shutdown. With
// the streams' own, server.drain_time, and two listeners it stays by default
// below the 10 s after which container runtimes kill.
const drainRequests = 2 * time.Second

func runServe(c *call) int {
	path, words, ok := c.configPath("serve", c.args)
	if !ok {
		return exitUsage
	}
	if len(words) > 0 {
		return c.misused("serve takes no arguments")
	}
	cfg, ok := c.load(path)
	if !ok {
		return exitFailed
	}
	log := newLogger(cfg.Log, c.stderr)
	for _, w := range cfg.Warnings {
		log.Warn("configuration: "+w.Problem, "key", w.Key, "advice", w.Advice)
	}
	if err := makeRoomForFiles(); err != nil {
		log.Debug("no room made for open files; logins will wait while the kernel makes it", "error", err)
	}
	n, err := newNode(c.ctx, cfg, log)
	if err != nil {
		return c.failed(err)
	}
	defer n.close()
	if err := n.serve(c.ctx, systemd{c.env("NOTIFY_SOCKET")}); err != nil {
		log.Error("trunkline ended with an error", "error", err)
		return exitFailed
	}
	return exitOK
}

// node is one running Trunkline. Its parts do not know one another: each
// declares what it needs, and node's methods (seams.go) meet that with another
// part.
type node struct {
	cfg     *config.Config
	log     *slog.Logger
	front   string // what the audit record calls those who use this process
	metrics *prometheus.Registry
	ready   atomic.Bool

	db     *sqldb.DB
	resume *resumptions
	tokens *tokens.Service
	audit  *audit.Log
	core   *backend.Core

	mastodonDB *mastodondb.Checker // nil: Mastodon passwords are not for apps

	gateway *gateway.Gateway
	web     *webclient.Server
	fronts  fronts
	kicker  *kicker // nil: there is no ejabberd to tell
}

// newNode builds the parts and starts none of them. The order is that of need:
// everything needs the database, the gateway, the web side and the fronts need
// tokens. Where two parts need each other (a revocation closes streams; a change of consent
// reaches streams; an import runs through the gateway; a device password depends
// on what Mastodon says) they are handed the node, which finds the other part when
// it is called, after newNode.
func newNode(ctx context.Context, cfg *config.Config, log *slog.Logger) (*node, error) {
	n := &node{cfg: cfg, log: log, front: "panel", metrics: prometheus.NewRegistry()}
	n.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if n.db, err = sqldb.Open(ctx, cfg.StoreURL().Reveal()); err != nil {
		return nil, err
	}
	n.resume = &resumptions{db: n.db, now: time.Now, most: limits(cfg).SessionsPerAccount()}
	for _, build := range []func() error{
		n.newTokens, n.newGateway, n.newWebclient, n.newCore, n.newFronts, n.newKickers,
	} {
		if err := build(); err != nil {
			n.close()
			return nil, err
		}
	}
	return n, nil
}

// serve runs the node until ctx ends or a part fails, and then ends it in the
// order in which people lose least.
func (n *node) serve(ctx context.Context, host systemd) error {
	sockets, err := n.begin(ctx)
	if err != nil {
		return err
	}
	public, private := sockets.public, sockets.private
	// The parts run in contexts of their own: they must outlive the signal until
	// what depends on them has ended.
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	group, work := errgroup.WithContext(work)
	webWork, endWeb := context.WithCancel(work)
	defer endWeb()

	// Revocations must be followed before the first stream opens.
	group.Go(func() error { return ended("tokens", n.tokens.Run(work)) })
	group.Go(func() error { return ended("gateway", n.gateway.Run(work)) })
	group.Go(func() error { return ended("resumptions", n.resume.Run(work)) })
	group.Go(func() error { return ended("audit", n.audit.Run(work)) })
	group.Go(func() error { return ended("memory", newMemory().Run(work)) })
	if n.kicker != nil {
		group.Go(func() error { return ended("kicker", n.kicker.Run(work)) })
	}
	group.Go(func() error { return ended("webclient", n.web.Run(webWork)) })
	// The private listener comes first: the XMPP server asks there about the
	// login that the public one lets in.
	group.Go(private.serve)
	group.Go(func() error { return ended("ldap", n.serveLDAP(work, sockets.ldap)) })
	group.Go(public.serve)
	n.ready.Store(true)
	host.notify("READY=1")
	n.log.Info("ready", "version", version(), "chat", n.cfg.Server.PublicURL, "xmpp", n.cfg.XMPP.Domain)

	select {
	case <-ctx.Done():
		n.log.Info("ending")
	case <-work.Done(): // a part failed; group.Wait tells which
		n.log.Error("a part failed, ending")
	}
	host.notify("STOPPING=1")
	// 1. Whoever balances load sends nobody here any more.
	n.ready.Store(false)
	// 2. Streams end with system-shutdown; panels come back by themselves. This
	//    is first because the sockets outlive the listener they came through.
	n.drain(ctx, n.cfg.Server.DrainTime.Std(), "streams", n.gateway.Shutdown)
	// 3. The web side's own work: its event streams end with it, which would
	//    keep the listener open otherwise. An import goes on after the restart.
	endWeb()
	// 4. No new requests; those under way are finished.
	n.drain(ctx, drainRequests, "requests", public.server.Shutdown)
	// 5. Only now the listener on which the XMPP server asks: until here it may
	//    have had to verify a login.
	n.drain(ctx, drainRequests, "questions", private.server.Shutdown)
	public.server.Close()
	private.server.Close()
	// 6. Revocations are followed to the end. The database is closed by the
	//    caller, when nothing uses it any more.
	endWork()
	return group.Wait()
}

// begin opens the listeners, which nobody is served on yet, and notes where the
// changes of consent stand: a stream, or a session that waits for a resumption, is
// judged by the consent that holds when it becomes known here, and hears of what
// changes later.
func (n *node) begin(ctx context.Context) (l listeners, err error) {
	if l, err = n.listen(ctx); err != nil {
		return l, err
	}
	if err := n.web.Begin(ctx); err != nil {
		l.close()
		return l, err
	}
	return l, nil
}

// drain gives one part of the shutdown its time. ctx has ended already, so only
// its values are used.
func (n *node) drain(ctx context.Context, patience time.Duration, what string, end func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	n.log.Debug("draining", "what", what, "within", patience)
	if err := end(ctx); err != nil {
		n.log.Warn("not everything ended in time", "what", what, "error", err)
	}
}

// close releases what newNode opened.
func (n *node) close() {
	if n.mastodonDB != nil {
		if err := n.mastodonDB.Close(); err != nil {
			n.log.Error("Mastodon's database did not close", "error", err)
		}
	}
	if err := n.db.Close(); err != nil {
		n.log.Error("the database did not close", "error", err)
	}
}

// ended names the part that ended, and takes the end of its context for no
// error.
func ended(part string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
}
