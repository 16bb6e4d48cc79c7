package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// rich is a message as clients send it.
const rich = "<message xmlns='jabber:client' to='bob@social.example' type='chat' id='5c0a3ff2-6d7c-4f0e-a9f5-3a1f0e6d0b11'>" +
	"<body>It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.</body>" +
	"<origin-id xmlns='urn:xmpp:sid:0' id='5c0a3ff2-6d7c-4f0e-a9f5-3a1f0e6d0b11'/><request xmlns='urn:xmpp:receipts'/>" +
	"<markable xmlns='urn:xmpp:chat-markers:0'/><active xmlns='http://jabber.org/protocol/chatstates'/></message>"

func BenchmarkMessage(b *testing.B) {
	for name, consent := range map[string]Consent{"shown": all, "hidden": nobody} {
		b.Run(name, func(b *testing.B) {
			s := bound(b, consent, false)
			e, err := framing.ParseFrame([]byte(rich), framing.ClientLimits)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				s.FromClient(e)
				s.FromServer(e)
			}
		})
	}
}

// BenchmarkSignals takes many signals out of one message. The time for each does not grow with their number, but for the memory that they need.
func BenchmarkSignals(b *testing.B) {
	for name, n := range map[string]int{"1000": 1000, "8000": 8000} {
		b.Run(name, func(b *testing.B) {
			s := bound(b, nobody, true)
			e, err := framing.ParseFrame([]byte("<message xmlns='jabber:client' xmlns:c='http://jabber.org/protocol/chatstates' to='bob@social.example'>"+
				strings.Repeat("<c:a/>", n)+"</message>"), framing.ClientLimits)
			require.NoError(b, err)
			for b.Loop() {
				s.FromClient(e)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/signal")
		})
	}
}
