package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const (
	blockTybalt   = "<iq type='set' id='x'><block xmlns='urn:xmpp:blocking'><item jid='tybalt@capulet.example'/></block></iq>"
	unblockTybalt = "<iq type='set' id='x'><unblock xmlns='urn:xmpp:blocking'><item jid='tybalt@capulet.example'/></unblock></iq>"
	unblockAll    = "<iq type='set' id='x'><unblock xmlns='urn:xmpp:blocking'/></iq>"
	ourPush       = "<iq type='set' id='push'><query xmlns='jabber:iq:privacy'><list name='trunkline-hidden'/></query></iq>"
	tybaltItem    = "<item type='jid' value='tybalt@capulet.example' action='deny' order='3'/>"
)

// push is what a server tells a session of what another one did.
func push(change string) string { return strings.Replace(change, "id='x'", "id='push'", 1) }

// bindAsking sends the bind of a client to a server that may keep blocks in lists, and returns the id of the question about them.
func bindAsking(t testing.TB, s *Stream) (id string) {
	t.Helper()
	v := client(t, s, bindRequest)
	require.Equal(t, Replace, v.Action)
	bind, question, _ := strings.Cut(string(v.Frame), "</iq>")
	require.Contains(t, bind, nsBind)
	e := parse(t, question)
	require.Equal(t, "get", e.Type())
	require.Equal(t, "<blocklist xmlns='urn:xmpp:blocking'/>", string(e.First().Raw))
	require.False(t, e.Attr("to") != "")
	return e.ID()
}

// blocklist is the answer to it.
func blocklist(id string, blocked ...string) string {
	items := ""
	for _, who := range blocked {
		items += string(framing.AppendAttr([]byte("<item"), "jid", who)) + "/>"
	}
	return "<iq type='result' id='" + id + "'><blocklist xmlns='urn:xmpp:blocking'>" + items + "</blocklist></iq>"
}

// listed answers the pair that hides a stream.
func listed(t testing.TB, s *Stream, pair [][]byte) Verdict {
	t.Helper()
	require.Len(t, pair, 2)
	require.Equal(t, activate, string(parse(t, string(pair[1])).First().Raw))
	require.Equal(t, Swallow, s.FromServer(parse(t, answer(t, pair[0], true))).Action)
	return s.FromServer(parse(t, answer(t, pair[1], true)))
}

// boundAsking binds a stream at a server that keeps blocks in lists.
func boundAsking(t testing.TB, c Consent, blocked ...string) *Stream {
	t.Helper()
	s := asking(t, c, true)
	id := bindAsking(t, s)
	require.Equal(t, Swallow, server(t, s, bindResult).Action)
	require.True(t, s.Waiting())
	v := server(t, s, blocklist(id, blocked...))
	if !c.Presence {
		require.Equal(t, Swallow, v.Action)
		v = listed(t, s, v.Inject)
		require.Equal(t, "hidden-live", v.Reason)
	} else {
		require.Equal(t, string(parse(t, bindResult).Raw), string(v.Frame))
	}
	require.Equal(t, Replace, v.Action)
	require.Empty(t, v.Inject)
	require.Equal(t, Nothing, v.Then)
	require.False(t, s.Waiting())
	return s
}

func TestListHoldsWhoIsBlocked(t *testing.T) {
	s := asking(t, nobody, false)
	id := bindAsking(t, s)
	v := server(t, s, bindResult)
	require.Equal(t, Verdict{Action: Swallow, Reason: "arming"}, v, "nothing is set before it is known who has to be in it")
	require.Equal(t, Verdict{}, server(t, s, strings.Replace(blocklist(id), "<iq", "<iq from='tybalt@capulet.example'", 1)))
	v = server(t, s, blocklist(id, "tybalt@capulet.example", "o'hara.example", "tybalt@capulet.example", "a@b/c&d"))
	require.Equal(t, strings.Replace(list, "</list>", tybaltItem+
		"<item type='jid' value='o&apos;hara.example' action='deny' order='4'/><item type='jid' value='a@b/c&amp;d' action='deny' order='5'/></list>", 1),
		string(parse(t, string(v.Inject[0])).First().Raw))
	require.Equal(t, "hidden-live", listed(t, s, v.Inject).Reason)
	require.True(t, s.Settled())
}

// A server where there is nothing to block with blocks nobody; one that cannot say is believed the worst: then presence stays here,
// and the list that its own default one would have to make room for is not used.
func TestBlocklistThatIsNone(t *testing.T) {
	broken := "<iq type='error' id='%s'><error type='wait'><internal-server-error xmlns='" + framing.NSStanzas + "'/></error></iq>"
	for name, c := range map[string]struct {
		answer string
		live   bool
	}{
		"unknown":   {strings.Replace(broken, "internal-server-error", "service-unavailable", 1), true},
		"not there": {strings.Replace(broken, "internal-server-error", "feature-not-implemented", 1), true},
		"broken":    {broken, false},
		"silly":     {"<iq type='result' id='%s'/>", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := asking(t, nobody, false)
			frame := fmt.Sprintf(c.answer, bindAsking(t, s))
			server(t, s, bindResult)
			v := server(t, s, frame)
			if c.live {
				require.Equal(t, list, string(parse(t, string(v.Inject[0])).First().Raw))
				return
			}
			require.Empty(t, v.Inject)
			require.Equal(t, "hidden-archive", v.Reason)
			require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason)
			require.Equal(t, "privacy-blocked", client(t, s, setOurs).Reason)
			require.True(t, s.Settled())
		})
	}
}

func TestWhoBlocksTooMany(t *testing.T) {
	many := make([]string, maxBlocked)
	for i := range many {
		many[i] = fmt.Sprint(strings.Repeat("'", maxBlockedBytes/maxBlocked-3), 100+i)
	}
	s := boundAsking(t, nobody, many...)
	require.Less(t, len(privacyIQ("x", s.state.Blocks.forList())), framing.ClientLimits.MaxBytes, "no server ends a stream for it")

	for _, more := range [][]string{append(many, "a"), {strings.Repeat("a", maxBlockedBytes+1)}} {
		s := asking(t, contacts, true)
		id := bindAsking(t, s)
		server(t, s, bindResult)
		require.Equal(t, "bound", server(t, s, blocklist(id, more...)).Reason)
		require.Equal(t, AwaitWalk, s.SetConsent(nobody))
		require.Equal(t, "privacy-blocked", client(t, s, setOurs).Reason)
		require.True(t, s.Settled())
		require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason)
		server(t, s, push(unblockTybalt))
		require.Equal(t, "privacy-blocked", client(t, s, setOurs).Reason)
		require.Equal(t, Nothing, server(t, s, push(unblockAll)).Then, "no list is there to be wrong")
		require.Equal(t, "privacy-list", fired(s, parse(t, setOurs)))
	}
}

func TestBlocklistBeforeTheBindResult(t *testing.T) {
	s := asking(t, contacts, true)
	require.Equal(t, Swallow, server(t, s, blocklist(bindAsking(t, s), "tybalt@capulet.example")).Action)
	require.Equal(t, Verdict{}, server(t, s, bindResult))
	left, _ := stepOver(t, s, setOurs, true)
	require.Contains(t, left, tybaltItem)

	s = asking(t, contacts, true)
	id := bindAsking(t, s)
	require.Equal(t, Verdict{}, server(t, s, "<iq type='error' id='b'/>"))
	require.Equal(t, Swallow, server(t, s, "<iq type='error' id='"+id+"'/>").Action, "nobody asked for this")
	require.NotEqual(t, id, bindAsking(t, s))
}

// What another session blocks while this one is being hidden is asked for again, or ends the stream as soon as the client can know.
func TestBlockingWhileArming(t *testing.T) {
	s := asking(t, nobody, false)
	id := bindAsking(t, s)
	server(t, s, bindResult)
	v := server(t, s, push(blockTybalt))
	require.Equal(t, Swallow, v.Action)
	require.Equal(t, "<iq xmlns='jabber:client' type='result' id='push'/>", string(v.Inject[0]))
	v = server(t, s, blocklist(id))
	require.Len(t, v.Inject, 1)
	v = server(t, s, blocklist(parse(t, string(v.Inject[0])).ID(), "tybalt@capulet.example"))
	require.Contains(t, string(v.Inject[0]), tybaltItem)
	require.Equal(t, Swallow, server(t, s, push(blockTybalt)).Action)
	v = listed(t, s, v.Inject)
	require.Equal(t, "hidden-live", v.Reason)
	require.Equal(t, EndStream, v.Then)
}

// The list of a live stream is out of date once somebody is blocked or not any more. The client gets the answer it waits for first.
func TestBlockingEndsTheStream(t *testing.T) {
	const result, failure = "<iq type='result' id='x'/>", "<iq type='error' id='x'/>"
	elsewhere := strings.Replace(push(blockTybalt), "<iq", "<iq from='tybalt@capulet.example/x'", 1)
	for name, c := range map[string]struct {
		say  string
		hear []string // the last one ends the stream
		not  bool     // does not
	}{
		"result alone":          {say: blockTybalt, hear: []string{result}},
		"push, then result":     {say: blockTybalt, hear: []string{push(blockTybalt), result}},
		"push, then failure":    {say: unblockTybalt, hear: []string{push(blockTybalt), failure}},
		"another session":       {hear: []string{push(blockTybalt)}},
		"another one unblocks":  {hear: []string{push(unblockAll)}},
		"failure":               {say: unblockAll, hear: []string{failure}, not: true},
		"somebody else":         {hear: []string{elsewhere, strings.Replace(result, "<iq", "<iq from='tybalt@capulet.example'", 1)}, not: true},
		"our list, by a tab":    {hear: []string{ourPush, ourPush}, not: true},
		"an answer to no block": {hear: []string{result}, not: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := boundAsking(t, nobody)
			if c.say != "" {
				require.Equal(t, Verdict{}, client(t, s, c.say))
			}
			for i, frame := range c.hear {
				v := server(t, s, frame)
				require.Equal(t, Pass, v.Action, "the client gets it first")
				want := Nothing
				if i == len(c.hear)-1 && !c.not {
					want = EndStream
				}
				require.Equal(t, want, v.Then, frame)
			}
		})
	}
}

// Nothing is out of date where no list holds blocks, or none is there.
func TestBlockingThatNeedsNoReset(t *testing.T) {
	for name, s := range map[string]*Stream{
		"apart": bound(t, nobody, true), "no lists": bound(t, nobody, false), "apart and shown": bound(t, contacts, true), "shown": boundAsking(t, contacts),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, Verdict{}, client(t, s, blockTybalt))
			require.Equal(t, Verdict{}, server(t, s, push(blockTybalt)))
			require.Equal(t, Verdict{}, server(t, s, "<iq type='result' id='x'/>"))
			_, err := Restore(Config{Identity: romeo, Consent: s.Consent(), Rand: entropy(3)}, snapshotOf(t, s))
			require.NoError(t, err)
		})
	}
}

func snapshotOf(t *testing.T, s *Stream) []byte {
	t.Helper()
	b, err := s.Snapshot()
	require.NoError(t, err)
	return b
}

// The walk from shown to hidden sets a list that holds what was blocked until then, over a resumption too.
func TestWalkHoldsWhoIsBlocked(t *testing.T) {
	s := boundAsking(t, contacts, "paris@capulet.example")
	client(t, s, "<presence/>")
	server(t, s, push(blockTybalt))
	server(t, s, push(strings.Replace(unblockTybalt, "tybalt", "paris", 1)))
	s, err := Restore(Config{Identity: romeo, Consent: contacts, Aware: true, Rand: entropy(3)}, snapshotOf(t, s))
	require.NoError(t, err)
	require.Equal(t, AwaitWalk, s.SetConsent(nobody))
	client(t, s, "<presence type='unavailable'/>")
	left, _ := stepOver(t, s, setOurs, true)
	require.Contains(t, left, strings.Replace(list, "</list>", tybaltItem+"</list>", 1))
	stepOver(t, s, useOurs, true)
	require.True(t, s.Settled())
	require.Equal(t, Verdict{}, client(t, s, "<presence/>"))

	server(t, s, push(strings.Replace(blockTybalt, "tybalt", "paris", 1)))
	_, err = Restore(Config{Identity: romeo, Rand: entropy(3)}, snapshotOf(t, s))
	require.ErrorIs(t, err, ErrNarrower, "its list is out of date")
}

// A list that was on its way when blocking changed is not the one to use.
func TestBlockingOvertakesTheWalk(t *testing.T) {
	s := boundAsking(t, contacts)
	request := client(t, s, setOurs)
	server(t, s, push(blockTybalt))
	s.FromServer(parse(t, answer(t, request.Frame, true)))
	require.Equal(t, "privacy-order-set", client(t, s, useOurs).Reason)
	left, _ := stepOver(t, s, setOurs, true)
	require.Contains(t, left, tybaltItem)
	client(t, s, useOurs)
	require.Equal(t, EndStream, server(t, s, push(unblockTybalt)).Then, "it may be active already")

	s = boundAsking(t, nobody)
	request = client(t, s, useOurs)
	client(t, s, blockTybalt)
	s.SetConsent(contacts)
	client(t, s, blockTybalt)
	require.Equal(t, Nothing, server(t, s, "<iq type='result' id='x'/>").Then, "another answer is to come")
	s.FromServer(parse(t, answer(t, request.Frame, true)))
	server(t, s, push(blockTybalt))
	require.Equal(t, EndStream, server(t, s, "<iq type='result' id='x'/>").Then, "what is out of date stays so")

	s = boundAsking(t, nobody)
	stepOver(t, s, useNone, true)
	client(t, s, blockTybalt)
	require.Equal(t, EndStream, server(t, s, "<iq type='result' id='x'/>").Then, "it would be activated again as it is")
}

// What the client never gets an answer to does not keep a stream.
func TestBlockingIsNotWaitedForWithoutEnd(t *testing.T) {
	s := boundAsking(t, nobody)
	for range 3 * maxBlocking {
		client(t, s, strings.Replace(blockTybalt, "id='x'", "id='y'", 1))
	}
	client(t, s, blockTybalt)
	require.Len(t, s.blocking, maxBlocking)
	require.Equal(t, Nothing, server(t, s, push(blockTybalt)).Then)
}
