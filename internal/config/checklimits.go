package config

import (
	"fmt"
	"time"
)

// checkLimits holds the rules about the limits.
func (r *reader) checkLimits(l *Limits) {
	for _, n := range []struct {
		key      string
		value    int64
		min, max int64
	}{
		{"streams", l.Streams, 1, 1 << 24},
		{"streams_per_address", l.StreamsPerAddress, 1, 1 << 24},
		{"streams_per_account", l.StreamsPerAccount, 1, 1 << 24},
		{"handshakes_per_address", l.HandshakesPerAddress, 0, 1 << 24},
		{"logins_per_account", l.LoginsPerAccount, 0, 1 << 24},
		{"login_bytes", l.LoginBytes, 2000, 1 << 20},
		{"stanzas_per_stream", l.StanzasPerStream, 0, 1 << 30},
		{"stanzas_per_account", l.StanzasPerAccount, 0, 1 << 30},
		{"stanzas_per_address", l.StanzasPerAddress, 0, 1 << 30},
		{"bytes_per_stream", l.BytesPerStream, 0, 1 << 40},
		{"bytes_per_account", l.BytesPerAccount, 0, 1 << 40},
		{"bytes_per_address", l.BytesPerAddress, 0, 1 << 40},
		{"stanza_depth", l.StanzaDepth, 16, 200},
		{"stanza_attributes", l.StanzaAttributes, 16, 1000},
	} {
		if key := "limits." + n.key; !r.bad[key] && (n.value < n.min || n.value > n.max) {
			r.mistake(key, fmt.Sprintf("is %d", n.value), fmt.Sprintf("choose between %d and %d", n.min, n.max))
		}
	}
	for _, d := range []struct {
		key      string
		value    Duration
		min, max time.Duration
	}{
		{"login_time", l.LoginTime, time.Second, time.Minute},
		{"login_delay", l.LoginDelay, 0, 30 * time.Second},
		{"burst", l.Burst, time.Second, time.Hour},
		{"patience", l.Patience, 100 * time.Millisecond, 20 * time.Second},
	} {
		if key := "limits." + d.key; !r.bad[key] && (d.value.Std() < d.min || d.value.Std() > d.max) {
			r.mistake(key, "is "+d.value.Std().String(), fmt.Sprintf("choose between %s and %s", d.min, d.max))
		}
	}
	if !r.bad["limits.login_delay"] && !r.bad["limits.login_time"] && l.LoginDelay >= l.LoginTime && l.LoginTime > 0 {
		r.warn("limits.login_delay", "is not shorter than limits.login_time", "make it shorter, or a wrong password is answered by the end of the connection")
	}
}
