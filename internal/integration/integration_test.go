package integration

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var people = map[string]string{"alice": "pass\"w\\ö", "bob": "secret"}

func TestTwoPeopleChatAndTheArchiveSurvivesAKill(t *testing.T) {
	p := StartProsody(t, ProsodyConfig{Users: people})
	alice := Connect(t, p, "alice", people["alice"], "a")
	bob := Connect(t, p, "bob", people["bob"], "b")
	require.Equal(t, "bob@social.example/b", bob.JID)
	bob.Say("<presence/>")
	bob.Sync()
	alice.Say("<message to='bob@social.example' type='chat' id='m1'><body>hello &amp; good day</body></message>")
	got := bob.Expect("the message", func(e Element) bool { return e.Attrs["id"] == "m1" })
	require.Equal(t, "message", got.Name.Local)
	require.True(t, got.Has("<body>hello &amp; good day</body>"), got.XML)
	addr := p.Addr()

	p.Kill()
	_, err := bob.Next(t.Context())
	require.ErrorIs(t, err, ErrStreamEnded)
	require.NoError(t, p.Start(t.Context()))
	require.Equal(t, addr, p.Addr())
	bob = Connect(t, p, "bob", people["bob"], "b")
	bob.Say("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
	bob.Expect("the archived message", func(e Element) bool { return e.Has("hello &amp; good day") })
	bob.Expect("the end of the query", func(e Element) bool { return e.IsReply("q") })
	p.Stop()
}

func TestWrongPasswordIsASASLErrorAndAnotherTryIsPossible(t *testing.T) {
	p := StartProsody(t, ProsodyConfig{Users: people})
	raw, err := Dial(t.Context(), p.Addr(), p.Domain())
	require.NoError(t, err)
	defer raw.Close()
	var refused *SASLError
	require.ErrorAs(t, raw.Login(t.Context(), "bob", "wrong"), &refused)
	require.Equal(t, "not-authorized", refused.Condition)
	require.NoError(t, raw.Login(t.Context(), "bob", people["bob"]))
}

func TestPausedServerIsSilentAndContinues(t *testing.T) {
	p := StartProsody(t, ProsodyConfig{Users: people})
	bob := Connect(t, p, "bob", people["bob"], "b")
	require.NoError(t, p.Pause())
	const ping = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := bob.Ask(ctx, ping)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, p.Continue())
	bob.Expect("the late answer", func(e Element) bool { return e.IsReply("p") })
}

func TestModulesThatWereAskedForAreThere(t *testing.T) {
	p := StartProsody(t, ProsodyConfig{Users: people, PrivacyLists: true, WebSocket: true, Domain: "chat.example"})
	require.Contains(t, p.WebSocketURL(), "ws://127.0.0.1:")
	bob := Connect(t, p, "bob", people["bob"], "b")
	own := bob.Query("<iq type='get' id='own' to='bob@chat.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	require.True(t, own.Has("urn:xmpp:mam:2"), own.XML)
	lists := bob.Query("<iq type='get' id='lists'><query xmlns='jabber:iq:privacy'/></iq>")
	require.Equal(t, "result", lists.Attrs["type"], lists.XML)
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	_, err := Launch(t.Context(), t.TempDir(), ProsodyConfig{GlobalExtra: "this is not Lua"})
	require.ErrorContains(t, err, "did not start")
	require.ErrorContains(t, err, "prosody.cfg.lua", "what Prosody printed")
}
