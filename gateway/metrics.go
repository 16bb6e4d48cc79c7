package gateway

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what happens. Labels are fixed words, never a JID or an
// account.
type metrics struct {
	streams prometheus.Gauge
	ended   *prometheus.CounterVec // reason
	stanzas *prometheus.CounterVec // from, verdict
	logins  *prometheus.CounterVec // outcome
	panics  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trunkline_gateway_streams", Help: "Streams that are open now."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trunkline_gateway_streams_ended_total", Help: "Streams that ended, by reason."}, []string{"reason"}),
		stanzas: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trunkline_gateway_stanzas_total", Help: "Stanzas, by sender and verdict."}, []string{"from", "verdict"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trunkline_gateway_logins_total", Help: "Logins through the gateway, by outcome."}, []string{"outcome"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trunkline_gateway_panics_total", Help: "Streams that were ended by a fault in the gateway."}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.streams, m.ended, m.stanzas, m.logins, m.panics} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("gateway: metrics: %w", err)
	}
	return m, nil
}
