package gateway

import "time"

// Steps of upstream: what the gateway waits for at the XMPP server.
const (
	stepConnect = "connect" // finding it, TCP, TLS
	stepOpen    = "open"    // from the stream header to the features
	stepLogin   = "login"   // from <auth/> to success or failure
	stepBind    = "bind"    // from the request to its result, hiding included
)

// upstreamBuckets are seconds, from a server on this machine to one that hangs.
var upstreamBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// stopwatch measures the step that a stream waits for at the XMPP server, one
// at a time. It is guarded by the stream's lock.
type stopwatch struct {
	step  string // "" while nothing is waited for
	began time.Time
}

// begin starts to measure a step.
func (w *stopwatch) begin(step string) { w.step, w.began = step, time.Now() }

// end tells how long the step took, if it is the one that was begun.
func (w *stopwatch) end(m *metrics, step string) {
	if w.step != step {
		return
	}
	m.took(step, w.began)
	w.step = ""
}

func (m *metrics) took(step string, began time.Time) {
	m.upstream.WithLabelValues(step).Observe(time.Since(began).Seconds())
}
