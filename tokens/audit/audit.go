// Package audit keeps who asked what about whom, and what they were told, so
// that an admin can answer "was that me?" and see an attack.
//
// Promises: Record never blocks and never fails; what does not fit is counted
// and told, in the log, in the metrics and as a row of its own. A row holds no
// secret, names nobody whose account was deleted before it was written, and is deleted after Config.Retention, or before when there are more
// than Config.MaxRows. What was recorded is in the database within a second, and
// before Run returns.
//
// Goroutines: Run's caller's, nothing else.
package audit

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// Defaults of Config.
const (
	DefaultRetention = 30 * 24 * time.Hour
	DefaultMaxRows   = 1_000_000
)

// queued is how many events wait for the database at most.
const queued = 4096

// Config is what a Log needs. DB is required.
type Config struct {
	DB        *sqldb.DB
	Retention time.Duration // DefaultRetention if 0
	MaxRows   int64         // DefaultMaxRows if 0
	Now       func() time.Time
	Log       *slog.Logger
	Metrics   prometheus.Registerer // nil: nobody can see them
}

// Event is one decision.
type Event struct {
	Front, Caller, Op             string
	Username, Account, Credential string
	Address                       string
	Outcome, Reason               string
}

// Row is an Event as it was kept.
type Row struct {
	Event

	Seq int64
	At  time.Time // in milliseconds
}

// Log takes events. Any goroutine may call any method.
type Log struct {
	db        *sqldb.DB
	retention time.Duration
	maxRows   int64
	now       func() time.Time
	log       *slog.Logger

	queue   chan Row
	dropped atomic.Int64 // and not told yet
	rows    prometheus.Counter
	drops   prometheus.Counter
}

// New checks the configuration. Nothing is written before Run.
func New(cfg Config) (*Log, error) {
	if cfg.DB == nil {
		return nil, errors.New("audit: no database given")
	}
	if cfg.Retention < 0 || cfg.MaxRows < 0 {
		return nil, errors.New("audit: negative retention")
	}
	if cfg.Retention == 0 {
		cfg.Retention = DefaultRetention
	}
	if cfg.MaxRows == 0 {
		cfg.MaxRows = DefaultMaxRows
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		db: cfg.DB, retention: cfg.Retention, maxRows: cfg.MaxRows, now: cfg.Now, log: cfg.Log,
		queue: make(chan Row, queued),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trunkline_audit_rows_total", Help: "Decisions that were written to the audit log."}),
		drops: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trunkline_audit_dropped_total", Help: "Decisions that the audit log had no room for."}),
	}
	if cfg.Metrics != nil {
		if err := errors.Join(cfg.Metrics.Register(l.rows), cfg.Metrics.Register(l.drops)); err != nil {
			return nil, fmt.Errorf("audit: metrics: %w", err)
		}
	}
	return l, nil
}

// Record takes e, with the time that it is now, or counts it as dropped.
func (l *Log) Record(e Event) {
	select {
	case l.queue <- Row{Event: e, At: l.now()}:
	default:
		l.dropped.Add(1)
		l.drops.Inc()
	}
}
