package backend

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts the answers. Labels are fixed words, never a name.
type metrics struct {
	answers *prometheus.CounterVec   // front, op, answer
	seconds *prometheus.HistogramVec // front, op
	waiting prometheus.Gauge
	panics  prometheus.Counter

	throttled *prometheus.CounterVec // front
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trunkline_backend_answers_total", Help: "Answers to servers, by front, operation and answer."},
			[]string{"front", "op", "answer"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trunkline_backend_answer_seconds", Help: "Time from a server's question to its answer, without what a wrong password is held back.",
			Buckets: []float64{.0001, .00025, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 1.5, 2}},
			[]string{"front", "op"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "trunkline_backend_waiting", Help: "Questions that are being answered now."}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trunkline_backend_panics_total", Help: "Questions that ended in a panic: bugs."}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trunkline_backend_throttled_total", Help: "Passwords that were not looked at after too many wrong ones."},
			[]string{"front"}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.answers, m.seconds, m.waiting, m.panics, m.throttled} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("backend: metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) answered(front, op string, answer Answer, took time.Duration) {
	m.answers.WithLabelValues(front, op, string(answer)).Inc()
	m.seconds.WithLabelValues(front, op).Observe(took.Seconds())
}
