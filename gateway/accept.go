package gateway

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const subprotocol = "xmpp" // RFC 7395 section 3.1

// ServeHTTP opens a stream and returns; the stream lives on without the request
// and the memory that hangs on it, until Shutdown at the latest.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// First of all, so that nobody fills the log with refusals.
	if again := g.handshake(r.Context(), limitKey(ClientAddress(r, g.cfg.TrustedProxies))); again > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(again))
		g.metrics.refused.WithLabelValues("handshakes").Inc()
		http.Error(w, "too many connections at once; try again soon", http.StatusTooManyRequests)
		return
	}
	if !g.originAllowed(r.Header.Values("Origin")) {
		g.refuse(w, r, "origin", http.StatusForbidden, "this page may not open a chat connection")
		return
	}
	if r.Header.Get("Upgrade") != "" && !offersXMPP(r.Header) {
		g.refuse(w, r, "subprotocol", http.StatusBadRequest, "the WebSocket subprotocol must be xmpp")
		return
	}
	s := g.newStream(r)
	displaced, err := g.streams.admit(s)
	if err != nil {
		status := http.StatusServiceUnavailable
		if errors.Is(err, errAddressFull) {
			status = http.StatusTooManyRequests
		}
		w.Header().Set("Retry-After", "5")
		g.refuse(w, r, refusal(err), status, "too many connections, or closing; try again soon")
		return
	}
	if displaced != nil {
		displaced.finish(endCrowded)
	}
	conn, early, err := upgrade(w, r)
	if err != nil {
		g.streams.remove(s)
		s.done.set()
		s.log().Debug("gateway: no WebSocket", "error", err)
		return
	}
	g.metrics.streams.Inc()
	s.run(newSocket(conn), early)
}

func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, reason string, status int, text string) {
	g.metrics.refused.WithLabelValues(reason).Inc()
	g.log.Info("gateway: connection refused", "reason", reason,
		"address", ClientAddress(r, g.cfg.TrustedProxies).String())
	http.Error(w, text, status)
}

// originAllowed lets in the configured pages, and what is no browser: no
// cookie counts here, so an Origin only protects people who have one.
func (g *Gateway) originAllowed(origins []string) bool {
	switch len(origins) {
	case 0:
		return true
	case 1:
		return slices.Contains(g.cfg.Origins, origins[0])
	default:
		return false
	}
}

func offersXMPP(h http.Header) bool {
	for _, v := range h.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(p), subprotocol) {
				return true
			}
		}
	}
	return false
}
