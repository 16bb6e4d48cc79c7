package webclient

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Server answers the public listener's requests, all but the WebSocket.
// Any goroutine may call any method.
type Server struct {
	cfg      Config
	public   *url.URL
	instance *url.URL
	keys     *keyring
	sessions *sessions
	pages    *pages
	pace     pace

	logins     *pacing             // new logins
	newDevices *allowance          // new device passwords
	exchanges  *semaphore.Weighted // logins share it between exchange and save; revoking a token takes all of it
	appLock    chan struct{}       // one registration at a time
	asked      *asked              // about whom Mastodon could not say
	strangers  strangers           // how it takes to calls that speak for nobody
	ended      endings             // of accounts that are not good any more
	hooked     hooked              // what webhooks want to be asked about
	forgeries  *allowance          // webhooks that Mastodon did not sign, by network
	hookBodies hookBodies          // webhooks that are being read
	metrics    *metrics
	listeners  listeners // of imports
	wakeTidy   chan struct{}
	wakeImport chan struct{}

	wakeStanding chan struct{}

	consents                    consentFeed
	consentTurns, standingTurns turns // one change, one check per account at a time

	watchers *semaphore.Weighted // each call of the consent watcher holds one, Run's end all
	stopped  chan struct{}       // closed when Run ends: event streams end
	stopOnce sync.Once
}

// pace is how often and how long; tests shorten it.
type pace struct {
	tidy          time.Duration // janitor
	sweep         time.Duration // old rows
	names         time.Duration // names of forgotten people
	body          time.Duration // how long a request's body may take to arrive
	hookBody      time.Duration // the same for a webhook's
	heartbeat     time.Duration // event streams
	glance        time.Duration // event streams look at the database and their login
	standingCheck time.Duration // age at which an account's standing is asked again
	standingRetry time.Duration // after Mastodon could not say
	standingWait  time.Duration // how long to wait for Mastodon's answer
	standingRound time.Duration // how often to look whom to ask about
	standingSweep time.Duration // the same for people who are not online
	standingHold  time.Duration // how long public profiles may be told from caches
	watcherWait   time.Duration // how long a change of consent waits for live streams
	consentPoll   time.Duration // how often the changes of consent are looked at
	importRetry   time.Duration // first back-off of an import, doubled up to importRetryMax
	importMax     time.Duration
	importGiveUp  time.Duration // age at which an import that gets nowhere ends
	importBatch   time.Duration // time limit of one batch
	revokeRetry   time.Duration // first back-off of a token revocation
}

func defaultPace() pace {
	return pace{
		tidy: time.Second, sweep: time.Minute, names: time.Hour, body: 30 * time.Second, hookBody: 5 * time.Second, heartbeat: 15 * time.Second, glance: 2 * time.Second,
		standingCheck: 5 * time.Minute, standingRetry: 30 * time.Second, standingWait: 4 * time.Second,
		standingRound: 5 * time.Second, standingSweep: time.Minute, standingHold: time.Minute,
		watcherWait: 4 * time.Second, consentPoll: time.Second,
		importRetry: time.Second, importMax: 30 * time.Second, importGiveUp: 24 * time.Hour, importBatch: 5 * time.Minute,
		revokeRetry: time.Minute,
	}
}

// The whole of Server.exchanges and of Server.watchers.
const (
	loginShare   = 1 << 16
	watcherShare = 1 << 16
)

// New checks the configuration and builds a Server. It starts nothing and talks to
// nobody.
func New(cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	keys, err := newKeyring(cfg.DataKeys, cfg.Rand)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:        cfg,
		keys:       keys,
		pace:       defaultPace(),
		logins:     newPacing(),
		newDevices: newAllowance(deviceEvery, devicesAtOnce),
		exchanges:  semaphore.NewWeighted(loginShare),
		watchers:   semaphore.NewWeighted(watcherShare),
		appLock:    make(chan struct{}, 1),
		asked:      newAsked(),
		forgeries:  newAllowance(forgeryEvery, forgeriesAtOnce),
		wakeTidy:   make(chan struct{}, 1),
		wakeImport: make(chan struct{}, 1),
		stopped:    make(chan struct{}),

		wakeStanding: make(chan struct{}, 1),
	}
	if s.public, err = parseOrigin(cfg.PublicURL); err != nil {
		return nil, fmt.Errorf("webclient: PublicURL: %w", err)
	}
	if s.instance, err = parseOrigin(cfg.InstanceURL); err != nil {
		return nil, fmt.Errorf("webclient: InstanceURL: %w", err)
	}
	if s.consents, err = newConsentFeed(cfg.Rand); err != nil {
		return nil, err
	}
	s.sessions = newSessions(cfg)
	if s.pages, err = newPages(cfg); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(cfg.Metrics, cfg.Now); err != nil {
		return nil, err
	}
	return s, nil
}

// Run does the work that no request waits for, until ctx ends: it ends expired
// logins, revokes unused Mastodon tokens, asks whether people may still use the
// instance, clears away old rows, runs imports, and tells of changes of consent
// that other processes made. It returns an error when the last cannot begin.
// When it returns, nothing of the Server runs any more except requests. Call it
// once.
func (s *Server) Run(ctx context.Context) error {
	defer s.awaitWatchers()
	defer s.stopOnce.Do(func() { close(s.stopped) })
	if err := s.reseal(ctx); err != nil {
		s.cfg.Log.ErrorContext(ctx, "sealing stored secrets under the first data key failed", "error", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	// Event streams must not hold up a shutdown: they end with ctx, not after it.
	stop := context.AfterFunc(ctx, func() { s.stopOnce.Do(func() { close(s.stopped) }) })
	defer stop()
	group.Go(func() error { return s.tidy(ctx) })
	group.Go(func() error { return s.runImports(ctx) })
	group.Go(func() error { return s.watchStanding(ctx) })
	group.Go(func() error { return s.followConsent(ctx) })
	return group.Wait()
}

// awaitWatchers waits for the calls of the consent watcher that are under way, as
// long as one may take. Later ones happen in their request.
func (s *Server) awaitWatchers() {
	ctx, cancel := context.WithTimeout(context.Background(), watcherLimit)
	defer cancel()
	if err := s.watchers.Acquire(ctx, watcherShare); err != nil {
		s.cfg.Log.Error("a consent watcher does not return", "error", err)
	}
}

// now is the injected clock in the database's unit.
func (s *Server) now() int64 { return s.cfg.Now().UnixMilli() }

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake already
	}
}

// turns gives each account's doings an order. The number of accounts is open, so
// they share a fixed number of queues.
type turns struct {
	once   sync.Once
	queues [64]chan struct{}
}

// take waits for account's turn and returns what ends it.
func (t *turns) take(ctx context.Context, account string) (release func(), err error) {
	t.once.Do(func() {
		for i := range t.queues {
			t.queues[i] = make(chan struct{}, 1)
		}
	})
	queue := t.queues[fingerprint(account)[0]%byte(len(t.queues))]
	select {
	case queue <- struct{}{}:
		return func() { <-queue }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("webclient: waiting for a turn: %w", ctx.Err())
	}
}
