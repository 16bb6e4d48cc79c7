package gateway_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

var mixSeed = flag.Uint64("mix.seed", 0, "what TestCountsAgreeAfterAnyMix draws from; 0: chosen anew")

// doing is something that a client sends. ID stands for the id; hidden and
// shown say what comes of it under either consent.
type doing struct {
	xml           string
	hidden, shown fate
}

// fate is what comes of a stanza.
type fate struct {
	reply string // type of the one answer that the client gets, "" if none
	heard bool   // bob gets it, or what is left of it
}

var (
	silent   = fate{}
	heardOf  = fate{heard: true}
	answered = fate{reply: "result"}
	refused  = fate{reply: "error"}
)

const toBob = " to='bob@" + domain + "' id='ID'>"

// doings are stanzas that the policy lets pass, holds back, refuses, and takes
// something out of.
var doings = []doing{
	{"<message xmlns='jabber:client' type='chat'" + toBob + "<body>words</body></message>", heardOf, heardOf},
	{"<message xmlns='jabber:client' type='chat'" + toBob + "<body>words</body><composing xmlns='" + chatStates + "'/></message>", heardOf, heardOf},
	{"<message xmlns='jabber:client' type='chat'" + toBob + "<composing xmlns='" + chatStates + "'/></message>", silent, heardOf},
	{"<message xmlns='jabber:client' type='chat'" + toBob + "<received xmlns='" + receipts + "' id='m0'/></message>", silent, heardOf},
	{"<message xmlns='jabber:client' type='error'" + toBob + "<error type='cancel'/></message>", silent, silent},
	{"<presence xmlns='jabber:client' id='ID'/>", silent, silent},
	{"<presence xmlns='jabber:client' type='error'" + toBob + "</presence>", silent, silent},
	{"<presence xmlns='jabber:client' type='subscribed'" + toBob + "</presence>", refused, silent},
	{"<presence xmlns='jabber:client' type='probe'" + toBob + "</presence>", refused, silent},
	{"<iq xmlns='jabber:client' type='get' id='ID'><query xmlns='jabber:iq:roster'/></iq>", answered, answered},
	{"<iq xmlns='jabber:client' type='get' id='ID' to='" + domain + "'><ping xmlns='urn:xmpp:ping'/></iq>", answered, answered},
	{"<iq xmlns='jabber:client' type='set' id='ID'><query xmlns='jabber:iq:register'><password>x</password></query></iq>", refused, refused},
	{"<iq xmlns='jabber:client' type='nonsense' id='ID'><query xmlns='jabber:iq:roster'/></iq>", refused, refused},
	{"<iq xmlns='jabber:client' type='get' to='bob@" + domain + "/raw' id='ID'><query xmlns='jabber:iq:version'/></iq>", refused, heardOf},
	{"<iq xmlns='jabber:client' type='result' to='bob@" + domain + "/raw' id='ID'/>", heardOf, heardOf},
	{"<iq xmlns='jabber:client' type='result' to='" + domain + "' id='ID'/>", silent, silent},
	{"<iq xmlns='jabber:client' type='set' id='ID'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='http://jabber.org/protocol/mood'>" +
		"<item><mood xmlns='http://jabber.org/protocol/mood'><happy/></mood></item></publish></pubsub></iq>", refused, answered},
	{strings.Replace(setList, "id='list'", "id='ID'", 1), answered, answered},
	{strings.Replace(activate, "id='active'", "id='ID'", 1), answered, refused},
	{strings.Replace(decline, "id='decline'", "id='ID'", 1), refused, answered},
}

// mixed is a client that keeps what the server has not acknowledged, as XEP-0198
// asks of it.
type mixed struct {
	*peer
	s       *stack
	r       *rand.Rand
	shown   bool
	previd  string
	unacked []string // the last is the newest
	acked   int
	n       int
	want    map[string]string // the type of the answer, by id
	replies map[string][]string
	words   []string          // ids that bob is to hear, in order
	came    []string          // ids of bob's messages
	log     map[string]string // what was sent, by id
}

// do sends one thing, whatever the line does next: what it leads to may be seen
// after a resumption only.
func (m *mixed) do() {
	d := doings[m.r.IntN(len(doings))]
	f := d.hidden
	if m.shown {
		f = d.shown
	}
	m.n++
	id := fmt.Sprint("n", m.n)
	if f.reply != "" {
		m.want[id] = f.reply
	}
	if f.heard {
		m.words = append(m.words, id)
	}
	xml := strings.Replace(d.xml, "id='ID'", "id='"+id+"'", 1)
	m.unacked = append(m.unacked, xml)
	m.log[id] = xml
	m.say(xml)
}

// take reads until the answer to a request that ends a batch has come.
func (m *mixed) take(last string) {
	m.t.Helper()
	for m.replies[last] == nil {
		m.hear(m.next())
	}
}

func (m *mixed) hear(e *framing.Element) {
	m.t.Helper()
	id := strings.Clone(e.ID())
	switch {
	case e.Is(nsSM, "r"):
		m.say("<a xmlns='" + nsSM + "' h='" + strconv.Itoa(m.got) + "'/>")
	case e.Is(nsSM, "a"):
		m.acknowledged(atoi(m.t.(*testing.T), e.Attr("h")))
	case strings.HasPrefix(id, "n") && (e.Type() == "result" || e.Type() == "error"):
		m.replies[id] = append(m.replies[id], strings.Clone(e.Type()))
	case e.Name.Local == "message" && e.Child("*", "body") != nil:
		m.came = append(m.came, id)
	}
}

func (m *mixed) acknowledged(h int) {
	m.t.Helper()
	require.LessOrEqual(m.t, h, m.acked+len(m.unacked), "the server counts more than there was")
	m.unacked = m.unacked[h-m.acked:]
	m.acked = h
}

// fence is a stanza that the server answers, last in a batch.
func (m *mixed) fence() {
	m.t.Helper()
	m.n++
	id := fmt.Sprint("n", m.n)
	m.want[id] = "result"
	xml := "<iq xmlns='jabber:client' type='get' id='" + id + "' to='" + domain + "'><ping xmlns='urn:xmpp:ping'/></iq>"
	m.unacked = append(m.unacked, xml)
	m.say(xml)
	m.take(id)
}

// resumeAfterCut breaks the line with stanzas under way and sends again what the
// server has not had.
func (m *mixed) resumeAfterCut() {
	m.t.Helper()
	old := m.peer
	old.cut()
	m.peer = m.s.connect("?consent=walk")
	m.login("alice", m.s.password("alice"))
	resumed := m.resume(old, m.previd)
	require.True(m.t, resumed.Is(nsSM, "resumed"), "%s", resumed.Raw)
	m.acknowledged(atoi(m.t.(*testing.T), resumed.Attr("h")))
	m.sent = m.acked
	for _, xml := range m.unacked {
		m.say(xml)
	}
}

// TestCountsAgreeAfterAnyMix sends stanzas of every verdict in random order
// while others come in, and breaks the line at any point, many times. Both sides
// count the same at each rest; each stanza that asks gets one answer, each message
// arrives once, and in order.
func TestCountsAgreeAfterAnyMix(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		for _, shown := range []bool{false, true} {
			t.Run(map[bool]string{false: "hidden", true: "shown"}[shown], func(t *testing.T) {
				seed := *mixSeed
				if seed == 0 {
					seed = rand.Uint64()
				}
				t.Logf("again by -mix.seed=%d", seed)
				testMix(t, kind, shown, rand.New(rand.NewPCG(seed, 0)))
			})
		}
	})
}

func testMix(t *testing.T, kind serverKind, shown bool, r *rand.Rand) {
	s := newStack(t, stackConfig{server: kind})
	s.contacts("alice", "bob")
	if shown {
		s.consent("alice", true, true, true)
	}
	bob := s.observer("bob")
	m := &mixed{s: s, r: r, shown: shown, want: map[string]string{}, replies: map[string][]string{}, log: map[string]string{}}
	m.peer = s.online("alice", "?consent=walk")
	m.previd = m.enable()
	m.unacked = []string{"<presence xmlns='jabber:client'/>"}
	m.say(m.unacked[0])
	m.fence()
	const rounds = 12
	var told, heard []string // ids of what bob has said, and got
	for range rounds {
		for range 1 + r.IntN(12) {
			m.do()
			if r.IntN(4) == 0 {
				told = append(told, fmt.Sprint("b", len(told)))
				bob.Say("<message to='" + m.jid + "' type='chat' id='" + told[len(told)-1] + "'><body>x</body></message>")
			}
		}
		// Bob rests while the session changes hands: ejabberd may put in another order
		// what comes in at that very moment.
		heard = append(heard, heardFromAlice(bob)...)
		if r.IntN(2) == 0 {
			m.resumeAfterCut()
		}
		m.fence()
		m.say("<r xmlns='" + nsSM + "'/>")
		for m.acked < m.sent { // hear fails for a count that is too high
			m.hear(m.next())
		}
		m.say("<a xmlns='" + nsSM + "' h='" + strconv.Itoa(m.got) + "'/>")
		heard = append(heard, heardFromAlice(bob)...)
	}
	for id, reply := range m.want {
		require.Equal(t, []string{reply}, m.replies[id], "one answer, once, to %s", m.log[id])
	}
	require.Len(t, m.replies, len(m.want), "answers to nothing that asks")
	require.Equal(t, told, m.came)
	require.Equal(t, m.words, heard)
}

// heardFromAlice is the ids of what bob has got of her clients, except presence.
func heardFromAlice(bob *integration.Client) (ids []string) {
	for _, e := range bob.Sync() {
		if strings.HasPrefix(e.Attrs["from"], "alice@"+domain+"/") && e.Name.Local != "presence" {
			ids = append(ids, e.Attrs["id"])
		}
	}
	return slices.Clip(ids)
}
