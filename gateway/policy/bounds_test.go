package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// maxSaved is what a resumption may need at the very most, in bytes.
const maxSaved = 250_000

// savedSize is how much the state takes within another JSON value, which escapes it anew.
func savedSize(t *testing.T, s *Stream) int {
	t.Helper()
	b, err := s.Snapshot()
	require.NoError(t, err)
	b, err = json.Marshal(map[string]json.RawMessage{"policy": b})
	require.NoError(t, err)
	return len(b)
}

// Whatever a client has refused, and whatever rooms it joins, little has to be saved.
func TestSavedStateIsBounded(t *testing.T) {
	escaped := map[string]string{">": ">", "amp": "&amp;", "quote": "&quot;", "line": "\u2028", "x": "x", "backslash": `\`}
	for name, c := range escaped {
		t.Run(name, func(t *testing.T) {
			s := bound(t, nobody, true)
			for n := range 1000 {
				room := fmt.Sprintf("%04d%s@%s", n, strings.Repeat(`\`, 1000), strings.Repeat("a.", 500)+"example")
				client(t, s, "<presence to='"+room+"/r'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
				id := strings.Repeat(c, maxID/len(unescape(c)))
				to := strings.Repeat(c, maxAddress/len(unescape(c)))
				v := client(t, s, "<iq type='get' id='"+id+"' to='"+to+"'><query xmlns='jabber:iq:version'/></iq>")
				require.Equal(t, "iq-address", v.Reason)
				if n%200 == 0 {
					require.Less(t, savedSize(t, s), maxSaved)
				}
			}
			require.Less(t, savedSize(t, s), maxSaved)
			require.NotEmpty(t, s.state.Directed)
			require.GreaterOrEqual(t, len(s.state.Replaced), 2, "the last ones are known")
		})
	}
}

func unescape(c string) string { return strings.NewReplacer("&amp;", "&", "&quot;", `"`).Replace(c) }

// An address that is too long is nobody's, and nothing of it stays.
func TestOverlongAddressIsNobodys(t *testing.T) {
	s := bound(t, nobody, true)
	long := strings.Repeat(">", 250_000)
	for n := range 300 {
		v := client(t, s, fmt.Sprintf("<iq type='get' id='%d' to='%s'><query xmlns='jabber:iq:version'/></iq>", n, long[n%2:]))
		require.Equal(t, "iq-address", v.Reason)
		if n == 0 {
			back := s.FromServer(parse(t, answer(t, v.Frame, false)))
			err := parse(t, string(back.Frame))
			require.Equal(t, "0", err.ID())
			_, from := err.Lookup("from")
			require.False(t, from)
		}
	}
	require.Len(t, s.state.Replaced, maxReplaced)
	require.Less(t, savedSize(t, s), 40_000)
	require.LessOrEqual(t, len(s.last.written), maxAddress)

	// A resource of 1,023 bytes is the longest there is.
	longest := "<message to='juliet@capulet.example/" + strings.Repeat("r", 1023) + "'>" + body + closing
	require.Equal(t, Verdict{}, client(t, s, longest))
	require.NotEmpty(t, s.last.written)
}

// An id that is too long to be kept ends the stream, whatever the stanza: the counts of XEP-0198 need no answer then.
func TestOverlongIDEndsTheStream(t *testing.T) {
	for _, kind := range []string{"iq type='get'", "message", "presence", "iq type='result'", "message type='error'"} {
		s := bound(t, nobody, true)
		stanza := func(n int) *framing.Element {
			name, _, _ := strings.Cut(kind, " ")
			return parse(t, "<"+kind+" id='"+strings.Repeat("&gt;", n)+"'><x xmlns='urn:x'/></"+name+">")
		}
		require.NotEqual(t, End, s.FromClient(stanza(maxID)).Action, kind)
		require.NotEqual(t, End, s.Refuse(stanza(maxID), LimitSize).Action, kind)
		for _, v := range []Verdict{s.FromClient(stanza(maxID + 1)), s.Refuse(stanza(maxID+1), LimitSize)} {
			require.Equal(t, End, v.Action, kind)
			require.Equal(t, framing.PolicyViolation, v.Condition)
			require.Equal(t, "stanza-id", v.Reason)
		}
	}
	s := start(t, nobody, true)
	v := client(t, s, strings.Replace(bindRequest, "id='b'", "id='"+strings.Repeat("b", maxID+1)+"'", 1))
	require.Equal(t, End, v.Action)
	require.Equal(t, framing.PolicyViolation, v.Condition)
}
