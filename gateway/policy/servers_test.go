package policy

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// pair is a person whose stream goes through the policy, the smallest gateway there can be, and a contact of theirs.
type pair struct {
	t      *testing.T
	server integration.Server
	s      *Stream
	romeo  *integration.Raw
	juliet *integration.Client
	sent   int // stanzas since XEP-0198 was enabled
}

// launch starts a server that has the two and rooms.
type launch func(t *testing.T) integration.Server

var two = map[string]string{"romeo": "r", "juliet": "j"}

func prosody(lists bool) launch {
	return func(t *testing.T) integration.Server {
		return integration.StartProsody(t, integration.ProsodyConfig{
			Users: two, PrivacyLists: lists, HostExtra: "Component \"rooms.social.example\" \"muc\"\n",
		})
	}
}

func ejabberd(t *testing.T) integration.Server {
	return integration.StartEjabberd(t, integration.EjabberdConfig{Users: two})
}

// befriend starts a server on which the two see each other's presence, and lets only Juliet be online.
func befriend(t *testing.T, start launch) *pair {
	p := &pair{t: t, server: start(t)}
	romeo := integration.Connect(t, p.server, "romeo", "r", "first")
	p.juliet = integration.Connect(t, p.server, "juliet", "j", "balcony")
	for _, c := range []*integration.Client{romeo, p.juliet} {
		c.Say("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>")
		c.Sync()
	}
	romeo.Say("<presence type='subscribe' to='juliet@social.example'/>")
	p.juliet.Expect("the request", func(e integration.Element) bool { return e.Attrs["type"] == "subscribe" })
	p.juliet.Say("<presence type='subscribed' to='romeo@social.example'/><presence type='subscribe' to='romeo@social.example'/>")
	romeo.Expect("the request", func(e integration.Element) bool { return e.Attrs["type"] == "subscribe" })
	romeo.Say("<presence type='subscribed' to='juliet@social.example'/>")
	p.juliet.Expect("his presence", func(e integration.Element) bool { return of(e, "romeo@social.example/first") && e.Attrs["type"] == "" })
	romeo.Say("<presence type='unavailable'/>")
	p.juliet.Expect("his leave", func(e integration.Element) bool {
		return of(e, "romeo@social.example/first") && e.Attrs["type"] == "unavailable"
	})
	require.NoError(t, romeo.Close())
	p.juliet.Sync()
	return p
}

func of(e integration.Element, from string) bool {
	return e.Name.Local == "presence" && e.Attrs["from"] == from
}

// bind opens Romeo's stream through the policy.
func (p *pair) bind(c Consent) string {
	ctx, cancel := p.patience()
	defer cancel()
	var err error
	p.romeo, err = integration.Dial(ctx, p.server.Addr(), p.server.Domain())
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = p.romeo.Close() })
	require.NoError(p.t, p.romeo.Login(ctx, "romeo", "r"))
	p.s = asking(p.t, c, true)
	p.send(bindRequest)
	result := p.await("id='b'")
	p.send("<enable xmlns='urn:xmpp:sm:3'/>")
	p.await("<enabled")
	p.sent = 0
	return result
}

func (p *pair) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.t.Context(), time.Minute)
}

// send asks the policy and writes what it says.
func (p *pair) send(frame string) {
	p.t.Helper()
	ctx, cancel := p.patience()
	defer cancel()
	e := parse(p.t, frame)
	v := p.s.FromClient(e)
	require.Contains(p.t, []Action{Pass, Replace}, v.Action)
	out := e.Raw
	if v.Action == Replace {
		out = v.Frame
	}
	if e.IsStanza() {
		p.sent++
	}
	require.NoError(p.t, p.romeo.Send(ctx, string(out)))
}

// await takes what the server sends through the policy until something for the client has text in it.
func (p *pair) await(text string) string {
	p.t.Helper()
	ctx, cancel := p.patience()
	defer cancel()
	for {
		e, err := p.romeo.Next(ctx)
		require.NoError(p.t, err, text)
		if strings.HasPrefix(e.XML, "<stream:") {
			continue
		}
		raw := parse(p.t, strings.ReplaceAll(e.XML, `xmlns='jabber:client'`, ""))
		v := p.s.FromServer(raw)
		for _, frame := range v.Inject {
			require.NoError(p.t, p.romeo.Send(ctx, string(frame)))
		}
		out := string(raw.Raw)
		switch v.Action {
		case Swallow:
			continue
		case Replace:
			out = string(v.Frame)
		}
		if strings.Contains(strings.ReplaceAll(out, `"`, "'"), text) {
			return out
		}
	}
}

// requireCounted asks the server how many stanzas it has had.
func (p *pair) requireCounted(after string) {
	p.t.Helper()
	p.send("<r xmlns='urn:xmpp:sm:3'/>")
	ack := p.await("<a ")
	require.Equal(p.t, strconv.Itoa(p.sent), parse(p.t, ack).Attr("h"), "after %s: %s", after, ack)
}

// seen returns what Juliet has got from Romeo up to a message that he sends now.
func (p *pair) seen(n int) (list []integration.Element) {
	p.t.Helper()
	mark := fmt.Sprint("mark", n)
	p.send("<message to='" + p.juliet.JID + "' id='" + mark + "'><body>mark</body></message>")
	p.juliet.Expect(mark, func(e integration.Element) bool {
		if strings.HasPrefix(e.Attrs["from"], "romeo@") {
			list = append(list, e)
		}
		return e.Attrs["id"] == mark
	})
	return list[:len(list)-1]
}

// TestHiddenOnServers sends every case of the rules to a real server, hidden, with lists and without: its counts agree, and a
// contact who is online gets what was written and nothing besides.
func TestHiddenOnServers(t *testing.T) {
	names := strings.NewReplacer("juliet@capulet.example/b'", "juliet@social.example/balcony'", "juliet@capulet.example", "juliet@social.example")
	for name, start := range map[string]launch{"Prosody": prosody(true), "Prosody without lists": prosody(false), "ejabberd": ejabberd} {
		lists := name != "Prosody without lists"
		t.Run(name, func(t *testing.T) {
			p := befriend(t, start)
			require.Equal(t, lists, strings.Contains(p.bind(nobody), "delivery='live'"))
			n := 0
			for _, cases := range [][]ruleCase{presenceCases, messageCases, iqCases, privacyCases, aliasCases} {
				for _, c := range cases {
					if changesContacts(c.in) {
						continue // on purpose, and for good: TestHiddenPersonChangesSubscriptions in gateway
					}
					for _, frame := range append(c.before, c.in) {
						p.send(names.Replace(frame))
					}
					p.requireCounted(c.in)
					n++
					for _, e := range p.seen(n) {
						requireOnPurpose(t, e, c.in)
					}
				}
			}
			for _, c := range signalCases {
				p.send(names.Replace(chat + c.signal + closing))
				p.send(names.Replace(chat + c.signal + body + closing))
			}
			p.requireCounted("signals")
			got := p.seen(n + 1)
			require.Len(t, got, len(signalCases), "the words alone")
			for _, e := range got {
				requireOnPurpose(t, e, "signals")
			}
			p.send("<presence type='unavailable'/>")
			p.send(useOurs)
			p.await("id='u'")
			p.send("<presence/>")
			require.Equal(t, lists, p.s.Farewell() != nil)
			p.end()
		})
	}
}

// changesContacts reports whether a stanza is about who is on the contact list, or blocked.
func changesContacts(frame string) bool {
	return strings.Contains(frame, "'unsubscribe") || strings.Contains(frame, nsBlocking) || strings.Contains(frame, "'remove'")
}

// end closes Romeo's stream as the gateway does, and holds that Juliet sees nothing of it.
func (p *pair) end() {
	p.t.Helper()
	ctx, cancel := p.patience()
	defer cancel()
	require.NoError(p.t, p.romeo.Send(ctx, string(p.s.Farewell())+"</stream:stream>"))
	for {
		if _, err := p.romeo.Next(ctx); err != nil {
			require.ErrorIs(p.t, err, integration.ErrStreamEnded)
			break
		}
	}
	for _, e := range p.juliet.Sync() {
		require.False(p.t, of(e, p.s.JID()), e.XML)
	}
}

// requireOnPurpose holds that what the contact got is something a person did.
func requireOnPurpose(t *testing.T, e integration.Element, after string) {
	t.Helper()
	switch e.Name.Local {
	case "presence":
		if of(e, romeo.Bare) && e.Attrs["type"] == "unavailable" {
			return // what the server tells of anyone who is offline
		}
		require.Equal(t, "subscribe", e.Attrs["type"], "after %s: %s", after, e.XML)
	case "message":
		require.NotEqual(t, "error", e.Attrs["type"], "after %s: %s", after, e.XML)
		require.True(t, e.Has("<body>") || e.Has("<thread>"), "after %s: %s", after, e.XML)
		for _, sign := range []string{"chatstates", "'urn:xmpp:receipts' id", "<displayed", "<rtt", "x:event", "<ringing", "<idle"} {
			require.False(t, e.Has(sign), "after %s: %s", after, e.XML)
		}
	case "iq":
		require.True(t, e.Attrs["type"] == "error" && e.Has("service-unavailable"), "after %s: %s", after, e.XML)
	}
}

// TestShownAndHiddenAgainOnServers is what proves that the contact would have seen it.
func TestShownAndHiddenAgainOnServers(t *testing.T) {
	for name, start := range map[string]launch{"Prosody": prosody(true), "ejabberd": ejabberd} {
		t.Run(name, func(t *testing.T) { testShownAndHiddenAgain(t, start) })
	}
}

func testShownAndHiddenAgain(t *testing.T, start launch) {
	p := befriend(t, start)
	p.bind(contacts)
	p.send("<presence/>")
	saw := func(what, typ string) {
		t.Helper()
		p.juliet.Expect(what, func(e integration.Element) bool { return of(e, p.s.JID()) && e.Attrs["type"] == typ })
	}
	saw("him come", "")
	require.Equal(t, AwaitWalk, p.s.SetConsent(nobody))
	p.send("<presence type='unavailable'/>")
	saw("him leave", "unavailable")
	p.send(setOurs)
	p.await("id='l'")
	p.send(useOurs)
	p.await("id='u'")
	require.True(t, p.s.Settled())
	p.send("<presence/>")
	require.Empty(t, p.seen(1))
	p.juliet.Say("<message to='romeo@social.example' id='live'><body>Art thou there?</body></message>")
	p.await("id='live'")
	require.Equal(t, AwaitWalk, p.s.SetConsent(contacts))
	p.send(useNone)
	p.await("id='n'")
	require.True(t, p.s.Settled())
	p.send("<presence/>")
	saw("him come back", "")
	p.requireCounted("both walks")
}
