package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// checkShutdown holds the rules about what happens at the end of the process.
func (r *reader) checkShutdown(s *Server) {
	const key, advice = "server.see_other_url", "write it like wss://chat2.example.org/xmpp-websocket, or leave it out"
	u, err := url.Parse(s.SeeOtherURL)
	switch {
	case r.bad[key] || s.SeeOtherURL == "":
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || (u.Scheme != "wss" && u.Scheme != "ws"):
		r.mistake(key, fmt.Sprintf("is not the address of a WebSocket (%q)", s.SeeOtherURL), advice)
	case u.Scheme == "ws" && !strings.HasPrefix(s.PublicURL, "http://"):
		// RFC 7395 section 3.6.1: clients must not go where it is less safe.
		r.mistake(key, "is less safe than server.public_url, and clients will not go there", "use wss://")
	}
	if t := s.DrainTime.Std(); !r.bad["server.drain_time"] && (t < time.Second || t > 10*time.Minute) {
		r.mistake("server.drain_time", "is "+t.String(), "choose between 1s and 10m0s")
	}
}
