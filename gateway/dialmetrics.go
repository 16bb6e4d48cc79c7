package gateway

import "github.com/prometheus/client_golang/prometheus"

// dialMetrics counts how the XMPP server is found.
type dialMetrics struct {
	reachable prometheus.Gauge
	faults    *prometheus.CounterVec // step
}

func newDialMetrics(reg prometheus.Registerer) (dialMetrics, error) {
	m := dialMetrics{
		reachable: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trunkline_gateway_server_reachable", Help: "1 if the XMPP server answered when it was last asked, else 0."}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trunkline_gateway_server_faults_total", Help: "Attempts to reach the XMPP server that failed, by step."}, []string{"step"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, register(reg, m.reachable, m.faults)
}
