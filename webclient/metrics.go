package webclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// metrics counts what Mastodon says. Labels are fixed words, never an account.
type metrics struct {
	checks  *prometheus.CounterVec // outcome
	hooks   *prometheus.CounterVec // outcome
	refused prometheus.Gauge
	pending prometheus.Gauge

	mu     sync.Mutex
	silent trouble // Mastodon does not answer
	deaf   trouble // changes of consent cannot be followed
}

const outcomeUnknown = "unknown" // beside the words of accounts.standing

func newMetrics(reg prometheus.Registerer, now func() time.Time) (*metrics, error) {
	m := &metrics{
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trunkline_standing_checks_total",
			Help: "Questions to Mastodon whether an account may be used, by answer."}, []string{"outcome"}),
		hooks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trunkline_mastodon_webhooks_total",
			Help: "Webhooks that claimed to come from Mastodon, by what became of them."}, []string{"outcome"}),
		refused: prometheus.NewGauge(prometheus.GaugeOpts{Name: "trunkline_accounts_refused",
			Help: "Accounts that Mastodon says may not be used now."}),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{Name: "trunkline_standing_checks_pending",
			Help: "Accounts that Mastodon is still to be asked about in this round."}),
	}
	if reg == nil {
		return m, nil
	}
	silence := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trunkline_mastodon_unreachable_seconds",
		Help: "For how long Mastodon has not answered; 0 while it does."},
		func() float64 { return m.lasts(&m.silent, now()).Seconds() })
	deafness := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trunkline_consent_deaf_seconds",
		Help: "For how long changes of consent by other nodes could not be followed; 0 while they are."},
		func() float64 { return m.lasts(&m.deaf, now()).Seconds() })
	var errs []error
	for _, c := range []prometheus.Collector{m.checks, m.hooks, m.refused, m.pending, silence, deafness} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("webclient: metrics: %w", err)
	}
	return m, nil
}

// followed notes whether the changes of consent could be followed just now.
func (m *metrics) followed(err error, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deaf.note(err != nil, now)
}

// asked counts one question.
func (m *metrics) asked(answer said, err error) {
	outcome := answer.standing
	if err != nil {
		outcome = outcomeUnknown
	}
	m.checks.WithLabelValues(outcome).Inc()
}

// What an error of a call says of Mastodon.
type heard int

const (
	heardNothing heard = iota // we gave up, not Mastodon
	heardSilence
	heardAnswer // a refusal is one
)

// reached notes whether Mastodon answered at all, and tells.
func (m *metrics) reached(err error, now time.Time) heard {
	m.mu.Lock()
	defer m.mu.Unlock()
	var said *mastodon.Error
	switch {
	case errors.Is(err, context.Canceled):
	case errors.Is(err, mastodon.ErrDown), errors.Is(err, mastodon.ErrNotMastodon):
		m.silent.note(true, now)
		return heardSilence
	case err == nil, errors.As(err, &said):
		m.silent.note(false, now)
		return heardAnswer
	}
	return heardNothing
}

// trouble is something that is so, since some time, or is not.
type trouble struct{ since time.Time } // zero: it is not

func (t *trouble) note(is bool, now time.Time) {
	if !is {
		t.since = time.Time{}
	} else if t.since.IsZero() {
		t.since = now
	}
}

// lasts is for how long a trouble of these metrics has been so, 0 while it is not.
func (m *metrics) lasts(t *trouble, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.since.IsZero() {
		return 0
	}
	return now.Sub(t.since)
}
