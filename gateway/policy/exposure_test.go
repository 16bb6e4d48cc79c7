package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatWidensIsTold goes through the walk and what else a client can do, and looks at which steps must be kept before they
// are taken, which at once, and which may wait.
func TestWhatWidensIsTold(t *testing.T) {
	const widens, changes, nothing = "widens", "changes", "nothing"
	for name, c := range map[string]struct {
		consent Consent
		steps   [][2]string
	}{
		"hidden": {nobody, [][2]string{
			{"<presence/>", widens}, // who declines the list afterwards would be seen
			{"<presence/>", nothing},
			{"<presence to='capulet@rooms.example/r'><x xmlns='http://jabber.org/protocol/muc'/></presence>", nothing},
			{"<presence to='juliet@capulet.example'/>", nothing}, // refused
			{"<iq type='nonsense' id='1'/>", nothing},            // refused
			{"<presence type='unavailable'/>", changes},
			{useNone, widens},
			{"<presence/>", nothing}, // held
			{useOurs, changes},
			{"<presence/>", widens},
		}},
		"shown": {contacts, [][2]string{
			{"<presence to='juliet@capulet.example'/>", widens},
			{"<presence to='juliet@capulet.example'/>", nothing},
			{"<presence to='paris@verona.example'/>", widens},
			{"<presence to='paris@verona.example' type='unavailable'/>", changes},
			{"<presence to='capulet@rooms.example/r'><x xmlns='http://jabber.org/protocol/muc'/></presence>", nothing},
			{"<presence/>", widens},
			{"<presence><show>away</show></presence>", nothing},
			{"<presence type='unavailable'/>", changes},
			{setOurs, changes},
			{useOurs, changes},
			{"<presence/>", widens},
			{useNone, widens},
		}},
	} {
		s := bound(t, c.consent, true)
		for i, step := range c.steps {
			before := s.Exposure()
			v := client(t, s, step[0])
			got, now := nothing, s.Exposure()
			switch {
			case now.WiderThan(before):
				got = widens
			case now != before:
				got = changes
			}
			require.Equal(t, step[1], got, "%s, step %d: %s", name, i, step[0])
			if v.Action == Replace && v.Reason != "presence-held" {
				server(t, s, answer(t, v.Frame, true))
				require.False(t, s.Exposure().WiderThan(now), "%s, step %d: an answer shows nobody", name, i)
			}
		}
	}
}

// TestAnExposureOutlivesTheStream: what is restored shows what was saved.
func TestAnExposureOutlivesTheStream(t *testing.T) {
	s := bound(t, contacts, true)
	client(t, s, "<presence to='juliet@capulet.example'/>")
	client(t, s, "<presence/>")
	client(t, s, setOurs)
	b, err := s.Snapshot()
	require.NoError(t, err)
	back, err := Restore(Config{Identity: romeo, Consent: contacts, Aware: true, Rand: entropy(2)}, b)
	require.NoError(t, err)
	require.Equal(t, s.Exposure(), back.Exposure())
}
