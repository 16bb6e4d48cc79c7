package main

import (
	"time"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/config"
)

// limits are the gateway's, as configured. What is 0 in the file, where that
// means no limit, is negative there.
func limits(cfg *config.Config) gateway.Limits {
	l := cfg.Limits
	free := func(n int64) int {
		if n == 0 {
			return -1
		}
		return int(n)
	}
	out := gateway.Limits{
		Frame: framing.Limits{
			MaxBytes: int(cfg.XMPP.MaxStanzaBytes) - stanzaRoom,
			MaxDepth: int(l.StanzaDepth), TreeDepth: int(l.StanzaDepth), MaxAttrs: int(l.StanzaAttributes),
		},
		Streams: int(l.Streams), PerAddress: int(l.StreamsPerAddress), PerAccount: int(l.StreamsPerAccount),
		Handshakes: free(l.HandshakesPerAddress), Logins: free(l.LoginsPerAccount),
		AuthTime: l.LoginTime.Std(), AuthBytes: int(l.LoginBytes), LoginDelay: l.LoginDelay.Std(),
		Stream:  gateway.Pace{Stanzas: free(l.StanzasPerStream), Bytes: free(l.BytesPerStream)},
		Account: gateway.Pace{Stanzas: free(l.StanzasPerAccount), Bytes: free(l.BytesPerAccount)},
		Address: gateway.Pace{Stanzas: free(l.StanzasPerAddress), Bytes: free(l.BytesPerAddress)},
		Burst:   l.Burst.Std(), Patience: l.Patience.Std(),
	}
	if out.LoginDelay == 0 {
		out.LoginDelay = -time.Nanosecond
	}
	return out
}
