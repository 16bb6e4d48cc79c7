package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is left of a message when a signal is taken out of it is nothing, if it is about a message only: an empty one would be the
// signal all the same.
func TestShellsAreHeld(t *testing.T) {
	shells := []string{
		"<amp xmlns='http://jabber.org/protocol/amp' per-hop='true'><rule/></amp>", "<stanza-id xmlns='urn:xmpp:sid:0' id='x' by='y'/>",
		"<origin-id xmlns='urn:xmpp:sid:0' id='x'/>", "<subject/>", "<body/>", "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>",
		"<x xmlns='vcard-temp:x:update'><photo/></x>", "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'> </body></html>",
		"<fallback xmlns='urn:xmpp:fallback:0' for='urn:x'><body start='0' end='1'/></fallback>", "<x xmlns='jabber:x:delay' stamp='1'/>",
		"<delay xmlns='urn:xmpp:delay' stamp='1'/>", "<x xmlns='http://jabber.org/protocol/muc#user'/>", "<idle xmlns='urn:xmpp:idle:1' since='2026-01-01T00:00:00Z'/>",
		"<reply xmlns='urn:xmpp:reply:0' id='m'/>", "<reference xmlns='urn:xmpp:reference:0' type='mention'/>", "<encryption xmlns='urn:xmpp:eme:0' namespace='x'/>",
		"<unstyled xmlns='urn:xmpp:styling:0'/>", "<headers xmlns='http://jabber.org/protocol/shim'><header name='x'>y</header></headers>",
		"<addresses xmlns='http://jabber.org/protocol/address'/>", "<nick xmlns='http://jabber.org/protocol/nick'>R</nick>",
	}
	s := bound(t, nobody, true)
	for _, shell := range append(shells, strings.Join(shells, "")) {
		for _, frame := range []string{shell + composes, composes + shell} {
			v := client(t, s, chat+frame+closing)
			require.Equal(t, "message-typing", strings.Replace(v.Reason, "message-idle", "message-typing", 1), frame)
			requireHeld(t, v.Frame)
		}
	}
	for _, content := range []string{
		body, "<subject>x</subject>", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", "<x xmlns='jabber:x:conference' jid='tea@rooms.social.example'/>",
		"<reactions xmlns='urn:xmpp:reactions:0' id='m'/>", "<proceed xmlns='urn:xmpp:jingle-message:0' id='c'/>",
		"<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p>x</p></body></html>",
		"<reference xmlns='urn:xmpp:reference:0' type='data'><media-sharing xmlns='urn:xmpp:sims:1'/></reference>",
		"<x xmlns='http://jabber.org/protocol/muc#user'><invite to='juliet@capulet.example'/></x>", "<something xmlns='urn:example:new'/>",
	} {
		require.Equal(t, chat+content+closing, string(client(t, s, chat+composes+content+closing).Frame))
	}
	room := strings.Replace(chat, "'chat'", "'groupchat'", 1)
	require.Equal(t, room+"<subject/>"+closing, string(client(t, s, room+composes+"<subject/>"+closing).Frame), "a room loses its subject")
}
