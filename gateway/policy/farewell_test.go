package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const leaveAll = "<presence xmlns='jabber:client' type='unavailable'/>"

func leaveTo(bare string) string {
	return "<presence xmlns='jabber:client' type='unavailable' to='" + bare + "'/>"
}

// What has to be said when a stream ends: what servers get wrong by themselves, and nothing else.
func TestFarewell(t *testing.T) {
	const (
		toJuliet, toNurse = "<presence to='juliet@capulet.example/b'/>", "<presence to='nurse@capulet.example'/>"
		farewellToJuliet  = "<presence to='juliet@capulet.example' type='unavailable'/>"
	)
	for _, tc := range []struct {
		name   string
		c      Consent
		before []string
		want   string
	}{
		{"hidden, not present", nobody, nil, ""},
		{"hidden and present", nobody, []string{"<presence/>"}, leaveAll},
		{"hidden, in a room", nobody, []string{joinRoom}, ""},
		{"hidden, present, in a room", nobody, []string{"<presence/>", joinRoom}, leaveAll},
		{"shown, not present", contacts, nil, ""},
		{"shown and present", contacts, []string{"<presence/>"}, ""},
		{"shown, present, and directed", contacts, []string{"<presence/>", toJuliet}, ""},
		{"directed alone", contacts, []string{toJuliet}, leaveTo("juliet@capulet.example")},
		{"directed to two, in a room", contacts, []string{toNurse, joinRoom, toJuliet}, leaveTo("juliet@capulet.example") + leaveTo("nurse@capulet.example")},
		{"directed and taken back", contacts, []string{toJuliet, farewellToJuliet}, ""},
		{"directed, then present and not", contacts, []string{toJuliet, "<presence/>", "<presence type='unavailable'/>"}, ""},
		{"present and not, then directed", contacts, []string{"<presence/>", "<presence type='unavailable'/>", toJuliet}, leaveTo("juliet@capulet.example")},
		{"to what is no address", contacts, []string{"<presence to='&lt;o&apos;neill&amp;@capulet.example'/>"}, leaveAll},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := bound(t, tc.c, true)
			for _, frame := range tc.before {
				client(t, s, frame)
			}
			require.Equal(t, tc.want, string(s.Farewell()))
			s.SetConsent(nobody)
			require.Equal(t, tc.want, string(s.Farewell()), "the same after a withdrawal")
			b, err := s.Snapshot()
			require.NoError(t, err)
			r, err := Restore(Config{Identity: romeo, Consent: contacts, Rand: entropy(9)}, b)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(r.Farewell()), "and for a session that was cut")
		})
	}
}

// The addresses are as many as are remembered; beyond that the server is asked to tell all whom it remembers.
func TestFarewellToMany(t *testing.T) {
	s := bound(t, contacts, true)
	for i := range maxDirected {
		client(t, s, fmt.Sprintf("<presence to='p%03d@capulet.example'/>", i))
	}
	leaves := strings.SplitAfter(strings.TrimSuffix(string(s.Farewell()), "/>"), "/>")
	require.Len(t, leaves, maxDirected)
	require.True(t, slices.IsSorted(leaves))
	client(t, s, "<presence to='one-more@capulet.example'/>")
	require.True(t, strings.HasSuffix(string(s.Farewell()), leaveAll))
}
