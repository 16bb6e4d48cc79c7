package policy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// pressed starts servers for press.example, on which Jess has a password that can be changed in band where the server can.
var pressed = map[string]launch{
	"Prosody": func(t *testing.T) integration.Server {
		return integration.StartProsody(t, integration.ProsodyConfig{
			Domain: "press.example", Users: map[string]string{"jess": "old", "bob": "b"}, PrivacyLists: true,
			HostExtra: "modules_enabled = { 'register' }\nallow_registration = true\n",
		})
	},
	"ejabberd": func(t *testing.T) integration.Server {
		return integration.StartEjabberd(t, integration.EjabberdConfig{Domain: "press.example", Users: map[string]string{"jess": "old", "bob": "b"}})
	},
}

// TestAliasesOnServers: both servers take addresses with ß for the account's own, and what a hidden Jess sends there does not get to
// them; sent past the policy it does what the own address would have done.
func TestAliasesOnServers(t *testing.T) {
	for name, start := range pressed {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			jess, bob := integration.Connect(t, server, "jess", "old", "first"), integration.Connect(t, server, "bob", "b", "raw")
			mood := func(alias, id string) string {
				return "<iq xmlns='jabber:client' type='set' id='" + id + "' to='" + alias + "'><pubsub xmlns='http://jabber.org/protocol/pubsub'>" +
					"<publish node='http://jabber.org/protocol/mood'><item id='current'><mood xmlns='http://jabber.org/protocol/mood'><" + id + "/></mood></item></publish>" +
					"<publish-options><x xmlns='jabber:x:data' type='submit'>" + formType + "<field var='pubsub#access_model'><value>open</value></field></x></publish-options></pubsub></iq>"
			}
			told := func(mood string) bool {
				answer := bob.Query("<iq type='get' id='f' to='jess@press.example'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='http://jabber.org/protocol/mood'/></pubsub></iq>")
				return answer.Has("<" + mood)
			}
			judged := func(frame string) {
				t.Helper()
				v := press(t, nobody).FromClient(parse(t, frame))
				require.Equal(t, Replace, v.Action, frame)
				jess.Say(string(v.Frame))
				jess.Sync()
			}
			aliases := []string{"je\u00df@press.example", "jess@pre\u00df.example", "J\u00adESS@press.example", "JE\u00df@pre\u00df.example", "jess@pre\u017f\u200ds.example"}
			for _, alias := range aliases {
				judged(mood(alias, "happy"))
				require.False(t, told("happy"), alias)
			}
			password := func(alias, id string) string {
				return "<iq xmlns='jabber:client' type='set' id='" + id + "' to='" + alias + "'><query xmlns='jabber:iq:register'><username>jess</username><password>new</password></query></iq>"
			}
			for _, alias := range []string{"pre\u00df.example", "jess@pre\u00df.example", "press\u200d.example"} {
				judged(password(alias, "p"))
			}
			require.NoError(t, integration.Connect(t, server, "jess", "old", "second").Close())

			for _, alias := range aliases {
				require.Equal(t, "result", jess.Query(mood(alias, "sad")).Attrs["type"], alias)
			}
			require.True(t, told("sad"), "the server takes them for hers")
			if name == "Prosody" {
				require.Equal(t, "result", jess.Query(password("jess@pre\u00df.example", "p")).Attrs["type"])
				require.NoError(t, integration.Connect(t, server, "jess", "new", "third").Close())
			}
		})
	}
}
