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
	silent time.Time // since when Mastodon does not answer; zero: it does
	deaf   time.Time // since when changes of consent could not be followed; zero: they are
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
		func() float64 { return m.silence(now()).Seconds() })
	deafness := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trunkline_consent_deaf_seconds",
		Help: "For how long changes of consent by other nodes could not be followed; 0 while they are."},
		func() float64 { return m.deafness(now()).Seconds() })
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
	switch {
	case err == nil:
		m.deaf = time.Time{}
	case m.deaf.IsZero():
		m.deaf = now
	}
}

func (m *metrics) deafness(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.deaf.IsZero() {
		return 0
	}
	return now.Sub(m.deaf)
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
		if m.silent.IsZero() {
			m.silent = now
		}
		return heardSilence
	case err == nil, errors.As(err, &said):
		m.silent = time.Time{}
		return heardAnswer
	}
	return heardNothing
}

func (m *metrics) silence(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent.IsZero() {
		return 0
	}
	return now.Sub(m.silent)
}
