package gateway

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// metrics counts what happens. Labels are fixed words, never a JID or an
// account. docs/monitoring.md lists them for admins.
type metrics struct {
	streams  prometheus.Gauge
	refused  *prometheus.CounterVec // reason
	ended    *prometheus.CounterVec // reason
	stanzas  *prometheus.CounterVec // from, verdict
	slowed   *prometheus.CounterVec // scope
	logins   *prometheus.CounterVec // outcome
	resumes  *prometheus.CounterVec // outcome
	upstream *prometheus.HistogramVec
	panics   prometheus.Counter
	passed   map[string]prometheus.Counter // of stanzas, by sender: nearly all of them

	// Frames in bytes, as they were read from either side. Plain numbers,
	// because each stanza adds to them.
	fromClient, fromServer atomic.Int64
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trunkline_gateway_" + name, Help: help}, labels)
	}
	m := &metrics{
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trunkline_gateway_streams", Help: "Streams that are open now."}),
		refused: counter("refused_total", "Connections that were refused before they became a stream, by reason.", "reason"),
		ended:   counter("streams_ended_total", "Streams that ended, by reason.", "reason"),
		stanzas: counter("stanzas_total", "Stanzas, by sender and verdict.", "from", "verdict"),
		slowed:  counter("slowed_total", "Stanzas that were held back because of a rate, by whose: stream, account or address.", "scope"),
		logins:  counter("logins_total", "Logins through the gateway, by outcome.", "outcome"),
		resumes: counter("resumptions_total", "Streams that were to be resumed (XEP-0198), by outcome.", "outcome"),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trunkline_gateway_upstream_seconds", Buckets: upstreamBuckets,
			Help: "What the XMPP server took, by step: connect, open, login, bind.",
		}, []string{"step"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trunkline_gateway_panics_total", Help: "Streams that were ended by a fault in the gateway."}),
	}
	m.begin()
	m.passed = map[string]prometheus.Counter{
		"client": m.stanzas.WithLabelValues("client", "pass"), "server": m.stanzas.WithLabelValues("server", "pass"),
	}
	if reg == nil {
		return m, nil
	}
	return m, register(reg, m.streams, m.refused, m.ended, m.stanzas, m.slowed, m.logins, m.resumes, m.upstream, m.panics,
		m.bytes("client", &m.fromClient), m.bytes("server", &m.fromServer))
}

// begin has everything at zero that alerts compare: of a counter that comes into
// being with what it counts, the first is in no rate.
func (m *metrics) begin() {
	for _, vec := range []struct {
		of    *prometheus.CounterVec
		words []string
	}{
		{m.refused, []string{"origin", "subprotocol", "full", "address_full", "crowded", "handshakes", "shutting_down"}},
		{m.slowed, []string{"stream", "account", "address"}},
		{m.logins, []string{"success", "not-authorized", "temporary-auth-failure", "server-not-authorized", "server-temporary-auth-failure", "server-other"}},
		{m.resumes, []string{"resumed", "refused", "server_refused"}},
	} {
		for _, word := range vec.words {
			vec.of.WithLabelValues(word)
		}
	}
	for _, step := range []string{stepConnect, stepOpen, stepLogin, stepBind} {
		m.upstream.WithLabelValues(step)
	}
}

func (m *metrics) bytes(from string, n *atomic.Int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "trunkline_gateway_bytes_total", Help: "XML that was read, in bytes, by sender.",
		ConstLabels: prometheus.Labels{"from": from},
	}, func() float64 { return float64(n.Load()) })
}

// watch adds what is counted only when somebody asks.
func (m *metrics) watch(reg prometheus.Registerer, g *Gateway) error {
	if reg == nil {
		return nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trunkline_gateway_" + name, Help: help}, value)
	}
	return register(reg,
		gauge("queue_bytes", "Bytes that wait for browsers, in all.",
			func() float64 { all, _ := g.pulse.queued(); return float64(all) }),
		gauge("queue_max_bytes", "Bytes that wait for the slowest browser.",
			func() float64 { _, most := g.pulse.queued(); return float64(most) }),
		gauge("waiting_sessions", "Sessions that were cut and may be resumed.",
			func() float64 { return float64(g.asleep.count()) }),
	)
}

func register(reg prometheus.Registerer, list ...prometheus.Collector) error {
	var errs []error
	for _, c := range list {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("gateway: metrics: %w", err)
	}
	return nil
}

// stanza counts a verdict about a stanza of the client or the server.
func (m *metrics) stanza(from string, v policy.Verdict) {
	if v.Reason == "" {
		m.passed[from].Inc()
	} else {
		m.stanzas.WithLabelValues(from, v.Reason).Inc()
	}
}
