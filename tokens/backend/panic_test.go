package backend

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// brittle panics over one name.
type brittle struct{}

func (brittle) Check(_ context.Context, _, username, _, _, _ string) (bool, string, string, string, string, error) {
	if username == "mallory" {
		panic("a row that nobody thought of")
	}
	return true, ReasonOK, "1", "", "c", nil
}

func (brittle) Exists(context.Context, string) (bool, error) { panic("not even that") }

func (brittle) Welcome(context.Context, string) (bool, error) { panic("nor that") }

func TestAQuestionThatPanicsHurtsNobodyElse(t *testing.T) {
	core, err := NewCore(CoreConfig{Verifier: brittle{}, Domain: "social.example"})
	require.NoError(t, err)
	ask := func(user string) Result {
		return core.Auth(t.Context(), Question{Front: "prosody", User: user, Secret: "tld-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"})
	}
	for range 2 * maxAsking { // each must give its place back
		require.Equal(t, Result{Answer: Unknown, Reason: ReasonTrouble}, ask("mallory"))
	}
	require.Equal(t, Unknown, core.Exists(t.Context(), Question{Front: "prosody", User: "alice"}))
	require.Equal(t, Unknown, core.Welcome(t.Context(), Question{Front: "prosody", User: "alice"}).Answer)
	require.Equal(t, Yes, ask("alice").Answer)
	require.InDelta(t, 2*maxAsking+2, testutil.ToFloat64(core.metrics.panics), 0)
}
