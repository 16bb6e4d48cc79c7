package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAClientThatForgetsItsResource: Converse asks as the resource that it wanted, once it has resumed another.
func TestAClientThatForgetsItsResource(t *testing.T) {
	for name, c := range map[string]stackConfig{"Prosody": {}, "ejabberd": {server: onEjabberd}} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, c)
			alice := s.online("alice", "")
			for _, from := range []string{alice.jid, "alice@" + domain, "alice@" + domain + "/converse.js-29438559"} {
				alice.say("<iq xmlns='jabber:client' type='get' id='q' from='" + from + "' to='" + domain + "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
				require.Equal(t, "result", alice.expectReply("q").Type(), from)
			}
		})
	}
}
