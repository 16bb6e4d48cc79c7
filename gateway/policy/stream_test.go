package policy

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

var romeo = Identity{Account: "109", Bare: "romeo@social.example", Domain: "social.example"}

// The consents that tests use.
var (
	nobody   = Consent{}
	contacts = Consent{Presence: true}
	all      = Consent{Presence: true, Typing: true, Receipts: true}
)

// entropy is a source of random bytes that is the same for every run.
func entropy(seed uint64) io.Reader {
	var key [32]byte
	key[0] = byte(seed)
	return rand.NewChaCha8(key)
}

// parse reads a frame; stanzas in tests are in jabber:client unless they say otherwise.
func parse(t testing.TB, s string) *framing.Element {
	t.Helper()
	for _, kind := range []string{"message", "presence", "iq"} {
		if rest, ok := strings.CutPrefix(s, "<"+kind); ok && !strings.Contains(s[:strings.IndexByte(s, '>')], "xmlns=") {
			s = "<" + kind + " xmlns='jabber:client'" + rest
		}
	}
	e, err := framing.ParseFrame([]byte(s), framing.ClientLimits)
	require.NoError(t, err, s)
	return e
}

// start makes a fresh stream, to a server whose privacy lists have nothing to do with blocking.
func start(t testing.TB, c Consent, aware bool) *Stream {
	t.Helper()
	s := asking(t, c, aware)
	require.Equal(t, Replace, server(t, s, apartFeatures).Action)
	return s
}

// asking makes a fresh stream, to a server that may keep blocks in a privacy list.
func asking(t testing.TB, c Consent, aware bool) *Stream {
	t.Helper()
	commands, err := NewCommands([]string{Admin})
	require.NoError(t, err)
	s, err := New(Config{Identity: romeo, Consent: c, Aware: aware, Rand: entropy(1), Commands: commands})
	require.NoError(t, err)
	return s
}

const (
	bindRequest = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
	bindResult  = "<iq type='result' id='b' to='romeo@social.example/r4nd0m'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>romeo@social.example/r4nd0m</jid></bind></iq>"
)

const apartFeatures = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><blocking-apart xmlns='urn:trunkline:gateway:0'/></stream:features>"

// client asks about a frame of the client.
func client(t testing.TB, s *Stream, frame string) Verdict {
	t.Helper()
	return lent(t, parse(t, frame), s.FromClient)
}

// lent asks about an element as the gateway does: in memory that is used again right after the verdict.
func lent(t testing.TB, e *framing.Element, judge func(*framing.Element) Verdict) Verdict {
	t.Helper()
	p, b := framing.NewParser(framing.ServerLimits), bytes.Clone(e.Raw)
	e, err := p.Frame(b)
	require.NoError(t, err)
	v := judge(e)
	for i := range b {
		b[i] = '?'
	}
	_, err = p.Frame([]byte("<a b='c'><d/><e/><f g='h' i='j'><k/></f></a>"))
	require.NoError(t, err)
	return v
}

// server asks about an element of the server.
func server(t testing.TB, s *Stream, frame string) Verdict {
	t.Helper()
	return lent(t, parse(t, frame), s.FromServer)
}

// bound binds a stream; lists says whether the server has privacy lists.
func bound(t testing.TB, c Consent, lists bool) *Stream {
	t.Helper()
	s := start(t, c, true)
	require.Equal(t, Replace, client(t, s, bindRequest).Action)
	v := server(t, s, bindResult)
	for _, frame := range v.Inject {
		v = s.FromServer(parse(t, answer(t, frame, lists)))
	}
	if c.Presence {
		require.Equal(t, Pass, v.Action)
	} else {
		require.Equal(t, Replace, v.Action)
		require.Contains(t, string(v.Frame), "<hidden xmlns='urn:trunkline:gateway:0'")
	}
	return s
}

// answer is what a server says to a request: a result, or the error for what it does not know.
func answer(t testing.TB, request []byte, ok bool) string {
	t.Helper()
	id := parse(t, string(request)).ID()
	if ok {
		return "<iq type='result' id='" + id + "'/>"
	}
	return "<iq type='error' id='" + id + "' from='social.example'><error type='cancel'><service-unavailable xmlns='" + framing.NSStanzas + "'/></error></iq>"
}

func TestNewRefusesWhoIsNobody(t *testing.T) {
	_, err := New(Config{Identity: Identity{Bare: "@", Domain: "social.example"}, Rand: entropy(1)})
	require.Error(t, err)
	_, err = New(Config{Identity: Identity{Bare: "a@b", Domain: ""}, Rand: entropy(1)})
	require.Error(t, err)
	_, err = New(Config{Identity: romeo, Rand: bytes.NewReader(nil)})
	require.ErrorIs(t, err, io.EOF)
}

func TestIDsDifferBetweenStreams(t *testing.T) {
	one, two := bound(t, nobody, true), bound(t, nobody, true)
	other, err := New(Config{Identity: romeo, Rand: entropy(2)})
	require.NoError(t, err)
	require.Equal(t, one.nonce, two.nonce)
	require.NotEqual(t, one.nonce, other.nonce)
	require.Len(t, other.nonce, 32, "128 bits")
	require.NotEqual(t, one.id("x"), one.id("x"))
}

func TestBindLeavesTheResourceToTheServer(t *testing.T) {
	s := start(t, contacts, false)
	v := client(t, s, "<iq type='set' id='a&amp;b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>desk</resource></bind></iq>")
	require.Equal(t, Replace, v.Action)
	require.Equal(t, "<iq xmlns='jabber:client' type='set' id='a&amp;b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", string(v.Frame))
	v = server(t, s, strings.Replace(bindResult, "id='b'", "id='a&amp;b'", 1))
	require.Equal(t, Verdict{}, v, "who shows their presence is bound at once")
	require.Equal(t, "romeo@social.example/r4nd0m", s.JID())
}

func TestBindHidesFirst(t *testing.T) {
	s := start(t, nobody, false)
	client(t, s, bindRequest)
	v := server(t, s, bindResult)
	require.Equal(t, Swallow, v.Action)
	require.Len(t, v.Inject, 2)
	set, active := parse(t, string(v.Inject[0])), parse(t, string(v.Inject[1]))
	require.Equal(t, list, string(set.First().Raw))
	require.Equal(t, activate, string(active.First().Raw))

	// Another session's list is pushed to this one meanwhile, and somebody tries to answer for the server.
	v = server(t, s, "<iq type='set' id='push1' to='romeo@social.example/r4nd0m'><query xmlns='jabber:iq:privacy'><list name='trunkline-hidden'/></query></iq>")
	require.Equal(t, Swallow, v.Action)
	require.Equal(t, "<iq xmlns='jabber:client' type='result' id='push1'/>", string(v.Inject[0]))
	v = server(t, s, "<iq type='result' id='"+active.ID()+"' from='tybalt@capulet.example/x'/>")
	require.Equal(t, Verdict{}, v)
	v = server(t, s, "<iq type='set' id='push1' from='tybalt@capulet.example/x'><query xmlns='jabber:iq:privacy'><list name='trunkline-hidden'/></query></iq>")
	require.Equal(t, Verdict{}, v)

	require.Equal(t, Swallow, server(t, s, "<iq type='result' id='"+set.ID()+"' from='Romeo@Social.Example'/>").Action)
	require.False(t, s.Settled())
	v = server(t, s, "<iq type='result' id='"+active.ID()+"'/>")
	require.Equal(t, Replace, v.Action)
	require.Equal(t, "hidden-live", v.Reason)
	want := strings.Replace(bindResult, "</bind>", "<hidden xmlns='urn:trunkline:gateway:0' delivery='live'/></bind>", 1)
	require.Equal(t, string(parse(t, want).Raw), string(v.Frame))
	require.True(t, s.Settled())
	require.Equal(t, "romeo@social.example/r4nd0m", s.JID())
}

func TestBindWithoutLists(t *testing.T) {
	for name, ok := range map[string][2]bool{"neither": {false, false}, "only an old list is active": {false, true}, "only set": {true, false}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nobody, false)
			client(t, s, bindRequest)
			v := server(t, s, bindResult)
			for i, frame := range v.Inject {
				v = s.FromServer(parse(t, answer(t, frame, ok[i])))
			}
			require.Equal(t, "hidden-archive", v.Reason)
			require.Contains(t, string(v.Frame), "delivery='archive'")
			require.True(t, s.Settled())
			require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason)
		})
	}
}

// A list that cannot be had for some other reason hides nobody either: presence stays here, and the stream is as it should be.
func TestBindWhenListsAreBroken(t *testing.T) {
	s := start(t, nobody, false)
	client(t, s, bindRequest)
	v := server(t, s, bindResult)
	for _, frame := range v.Inject {
		v = s.FromServer(parse(t, strings.Replace(answer(t, frame, false), "service-unavailable", "internal-server-error", 1)))
	}
	require.Equal(t, "hidden-archive", v.Reason)
	require.True(t, s.Settled())
}

func TestBindFailing(t *testing.T) {
	s := start(t, nobody, false)
	client(t, s, bindRequest)
	require.Equal(t, Verdict{}, server(t, s, "<iq type='error' id='b'><error type='wait'><resource-constraint xmlns='"+framing.NSStanzas+"'/></error></iq>"))
	require.Equal(t, Replace, client(t, s, bindRequest).Action, "it may try again")
	require.Equal(t, Verdict{}, server(t, s, "<iq type='result' id='other'/>"))
	v := server(t, s, "<iq type='result' id='b'/>")
	require.Equal(t, End, v.Action)
	require.Equal(t, framing.InternalServerError, v.Condition)
}

func TestNothingBeforeTheBind(t *testing.T) {
	for _, frame := range []string{
		"<presence/>", "<message to='a@b'><body>x</body></message>", "<iq type='get' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
		"<iq type='set' id='1'><query xmlns='jabber:iq:auth'><username>romeo</username><password>x</password></query></iq>",
		"<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "<iq type='set' id='1'/>",
		"<iq type='set' id='1' to='a@b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
	} {
		s := start(t, nobody, true)
		v := client(t, s, frame)
		require.Equal(t, End, v.Action, frame)
		require.Equal(t, framing.NotAuthorized, v.Condition, frame)

		s = start(t, nobody, true)
		client(t, s, bindRequest)
		require.Equal(t, End, client(t, s, frame).Action, "while the server binds: %s", frame)
		require.Equal(t, End, client(t, s, "<enable xmlns='urn:xmpp:sm:3'/>").Action, "nothing could be injected any more")
		require.Equal(t, End, client(t, s, bindRequest).Action, "one bind at a time")
		server(t, s, bindResult)
		require.Equal(t, End, client(t, s, frame).Action, "while the list is on its way: %s", frame)
		require.Equal(t, End, client(t, s, "<enable xmlns='urn:xmpp:sm:3'/>").Action)
	}
}

func TestFeaturesAreTrimmed(t *testing.T) {
	s := start(t, nobody, true)
	const open = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>"
	const plain = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
	v := server(t, s, open+"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"+
		"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism> PLAIN </mechanism></mechanisms>"+
		"<authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism></authentication>"+
		"<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>"+
		"<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>"+
		"<register xmlns='http://jabber.org/features/iq-register'/><auth xmlns='http://jabber.org/features/iq-auth'/>"+
		"<limits xmlns='urn:xmpp:stream-limits:0'/></stream:features>")
	require.Equal(t, Replace, v.Action)
	require.Equal(t, open+plain+"<limits xmlns='urn:xmpp:stream-limits:0'/></stream:features>", string(v.Frame))

	require.Equal(t, Verdict{}, server(t, s, open+"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>"))

	v = server(t, s, open+"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256</mechanism></mechanisms></stream:features>")
	require.Equal(t, End, v.Action)
	require.Equal(t, "no-plain", v.Reason)
}

func TestElementsThatAreNoStanzas(t *testing.T) {
	s := bound(t, nobody, true)
	for _, frame := range []string{
		"<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<r xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='1'/>",
		"<inactive xmlns='urn:xmpp:csi:0'/>", "<active xmlns='urn:xmpp:csi:0'/>",
	} {
		require.Equal(t, Verdict{}, client(t, s, frame), frame)
	}
	require.Equal(t, End, client(t, s, "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>").Action)
	require.Equal(t, Verdict{}, client(t, start(t, nobody, true), "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>"))
}

func TestWhatIsTooDeepForBrowsersArrivesEmpty(t *testing.T) {
	s := bound(t, all, true)
	deep := func(n int) *framing.Element {
		raw := "<message xmlns='jabber:client' from='tybalt@capulet.example/x' id='1'>" + strings.Repeat("<a>", n) + strings.Repeat("</a>", n) + "</message>"
		e, err := framing.ParseFrame([]byte(raw), framing.ServerLimits)
		require.NoError(t, err)
		return e
	}
	require.Equal(t, Verdict{}, s.FromServer(deep(199)))
	v := s.FromServer(deep(200))
	require.Equal(t, Replace, v.Action)
	require.Equal(t, "<message xmlns='jabber:client' from='tybalt@capulet.example/x' id='1'/>", string(v.Frame))
}
