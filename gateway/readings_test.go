package gateway_test

import (
	"slices"

	"github.com/stretchr/testify/require"
)

// readings are all metrics of a gateway at one moment, so that two of them can
// be compared.
type readings []reading

// reading is one metric: its labels' values in the order of the labels' names,
// and its value, which of a histogram is the count.
type reading struct {
	name   string
	labels []string
	value  float64
}

// readings gathers the metrics once.
func (s *stack) readings() readings {
	s.t.Helper()
	families, err := s.metrics.Gather()
	require.NoError(s.t, err)
	var list readings
	for _, family := range families {
		for _, m := range family.GetMetric() {
			r := reading{name: family.GetName()}
			for _, l := range m.GetLabel() {
				r.labels = append(r.labels, l.GetValue())
			}
			r.value = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			list = append(list, r)
		}
	}
	return list
}

// value is the sum of the metrics of this name whose labels' values begin with
// these; 0 if there is none, as of a counter that has not counted.
func (r readings) value(name string, labels ...string) (sum float64) {
	for _, m := range r {
		if m.name == name && len(m.labels) >= len(labels) && slices.Equal(m.labels[:len(labels)], labels) {
			sum += m.value
		}
	}
	return sum
}

// value is that of one moment, for who needs no other of the same.
func (s *stack) value(name string, labels ...string) float64 {
	s.t.Helper()
	return s.readings().value(name, labels...)
}
