package gateway

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// TestWhatAlertsCompareBeginsAtZero: rates and ratios need the series before the
// first event.
func TestWhatAlertsCompareBeginsAtZero(t *testing.T) {
	reg := prometheus.NewRegistry()
	_, err := newMetrics(reg)
	require.NoError(t, err)
	families, err := reg.Gather()
	require.NoError(t, err)
	zero := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				zero[f.GetName()+" "+l.GetValue()] = m.GetCounter().GetValue() == 0 && m.GetHistogram().GetSampleCount() == 0
			}
		}
	}
	for _, series := range []string{
		"logins_total success", "logins_total not-authorized", "logins_total server-not-authorized", "refused_total origin", "refused_total shutting_down",
		"slowed_total account", "resumptions_total resumed", "upstream_seconds login",
	} {
		require.True(t, zero["trunkline_gateway_"+series], series)
	}
}
