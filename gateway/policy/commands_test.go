package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func command(to, node string) string {
	return "<iq type='set' id='1'" + to + "><command xmlns='http://jabber.org/protocol/commands' node='" + node + "' action='execute'/></iq>"
}

func certificate(kind, do string) string {
	return "<iq type='" + kind + "' id='1'><" + do + " xmlns='urn:xmpp:saslcert:1'/></iq>"
}

// commandCases are about what changes the account or the server, whatever is agreed to.
var commandCases = []ruleCase{
	{rule: "iq-command", in: command(" to='social.example'", "http://jabber.org/protocol/admin#add-user"), want: refuses, consent: all},
	{rule: "iq-command", in: command(" to='social.example'", "http://jabber.org/protocol/admin"), want: refuses, consent: all},
	{rule: "iq-command", in: command(" to='SOCIAL.example/x'", "http://prosody.im/protocol/modules#load"), want: refuses},
	{rule: "iq-command", in: command(" to='rooms.social.example'", "http://prosody.im/protocol/muc#destroy"), want: refuses, consent: all},
	{rule: "iq-command", in: command(" to='tea@rooms.social.example'", "announce/all-hosts/online"), want: refuses, consent: all},
	{rule: "iq-command", in: command("", "running nodes/ejabberd@localhost/stop"), want: refuses, consent: all},
	{rule: "iq-command", in: command(" to=''", "config/hosts"), want: refuses, consent: all},
	// To ejabberd these are the same node as those that are named.
	{rule: "iq-command", in: command("", "http:/jabber.org#protocol//admin/add-user"), want: refuses, consent: all},
	{rule: "iq-command", in: command("", "#config/#hosts"), want: refuses, consent: all},
	{rule: "iq-shown", in: command("", "http://jabber.org/protocol/administrator"), want: passes, consent: all},
	{rule: "iq-shown", in: command("", "urn:xmpp:invite#invite"), want: passes, consent: all},
	{rule: "iq-shown", in: command("", ""), want: passes, consent: all},
	{rule: "", in: command(" to='bot.elsewhere.example'", "config"), want: passes},
	{rule: "", in: command(" to='othersocial.example'", "config"), want: passes},
	{rule: "iq-certificate", in: certificate("set", "append"), want: refuses, consent: all},
	{rule: "iq-certificate", in: certificate("set", "revoke"), want: refuses},
	{rule: "iq-shown", in: certificate("get", "items"), want: passes, consent: all},
	{rule: "iq-register", in: "<iq type='set' id='1' to='tybalt@social.example'><query xmlns='jabber:iq:register'/></iq>", want: refuses, consent: all},
	{rule: "iq-shown", in: "<iq type='set' id='1' to='tea@rooms.social.example'><query xmlns='jabber:iq:register'/></iq>", want: passes, consent: all},
	{rule: "iq-activity", in: "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='http://jabber.org/protocol/tune' notify='true'><item id='1'/></retract></pubsub></iq>", want: refuses},
	{rule: "iq-activity", in: "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><purge node='http://jabber.org/protocol/mood'/></pubsub></iq>", want: refuses},
	{rule: "", in: "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='urn:xmpp:bookmarks:1'/></pubsub></iq>", want: passes},
	{rule: "iq-read-state", in: "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='urn:xmpp:mds:displayed:0'><item id='1'/></retract></pubsub></iq>", want: refuses, consent: contacts},
	{rule: "", in: "<iq type='set' id='1'><query xmlns='jabber:iq:private'><storage xmlns='storage:x'/></query></iq>", want: passes},
}

func TestCommandsAreNamedByTheirBeginnings(t *testing.T) {
	own, err := NewCommands([]string{"urn:example:mine", "a/b"})
	require.NoError(t, err)
	for node, want := range map[string]bool{
		"urn:example:mine": true, "urn:example:mine#1": true, "urn:example:mines": false, "a/b/c": true, "a#b": true, "a": false, "b/a": false,
		"": false, "http://jabber.org/protocol/admin#add-user": false,
	} {
		require.Equal(t, want, own.has(node), node)
	}
	for _, list := range [][]string{nil, {}} {
		none, err := NewCommands(list)
		require.NoError(t, err)
		require.False(t, none.has("http://jabber.org/protocol/admin#add-user"))
	}
	for _, everything := range []string{"", "/", "#//"} {
		_, err := NewCommands([]string{everything})
		require.Error(t, err)
	}
	require.False(t, (*Commands)(nil).has("config"))
}

// FuzzCommands: however a node is written that ejabberd takes for the same, the answer is the same.
func FuzzCommands(f *testing.F) {
	f.Add("http://jabber.org/protocol/admin#add-user")
	f.Add("config")
	f.Add("/#")
	f.Fuzz(func(t *testing.T, node string) {
		c, err := NewCommands([]string{Admin, "x"})
		require.NoError(t, err)
		for _, same := range []string{
			"/" + node, node + "#", strings.ReplaceAll(node, "/", "#"), strings.ReplaceAll(node, "#", "//"),
		} {
			require.Equal(t, c.has(node), c.has(same))
		}
		require.True(t, c.has("x/"+node))
	})
}
