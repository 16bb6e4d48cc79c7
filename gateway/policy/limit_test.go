package policy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// Whatever is over a limit leads to one stanza for the server, and to no answer where the standard forbids one.
func TestRefuseReplacesOneForOne(t *testing.T) {
	for limit, why := range limitReasons {
		for in, want := range map[string]string{
			"<message xmlns='jabber:client' id='m' to='juliet@capulet.example'/>":               refuses,
			"<message xmlns='jabber:client'/>":                                                  refuses,
			"<presence xmlns='jabber:client' id='p'/>":                                          refuses,
			"<presence xmlns='jabber:client' id='p' type='unavailable'/>":                       refuses,
			"<iq xmlns='jabber:client' id='i' type='set' to='juliet@capulet.example/balcony'/>": refuses,
			"<iq xmlns='jabber:client' id='i' type='get'/>":                                     refuses,
			"<iq xmlns='jabber:client'/>":                                                       refuses,
			"<iq xmlns='jabber:client' id='i' type='result'/>":                                  held,
			"<iq xmlns='jabber:client' id='i' type='error'/>":                                   held,
			"<message xmlns='jabber:client' type='error'/>":                                     held,
			"<presence xmlns='jabber:client' type='error'/>":                                    held,
		} {
			s := bound(t, nobody, false)
			e := parse(t, in)
			v := s.Refuse(e, limit)
			require.Equal(t, Replace, v.Action, in)
			require.Equal(t, limit, v.Reason)
			if want == held {
				requireHeld(t, v.Frame)
				continue
			}
			back := s.FromServer(parse(t, answer(t, v.Frame, false)))
			require.Equal(t, Replace, back.Action, in)
			err := parse(t, string(back.Frame))
			require.Equal(t, e.Name, err.Name)
			require.Equal(t, "error", err.Type())
			require.Equal(t, e.ID(), err.ID())
			require.Equal(t, e.To(), err.From())
			said := err.Child(framing.NSClient, "error")
			require.Equal(t, why.kind, said.Type())
			require.NotNil(t, said.Child(framing.NSStanzas, why.condition))
			require.Equal(t, limit, said.Child(NSGateway, "refused").Attr("rule"))
		}
	}
}

func TestRefuseEndsWhatCannotBeAnswered(t *testing.T) {
	s := bound(t, nobody, false)
	for _, in := range []string{"<r xmlns='urn:xmpp:sm:3'/>", "<message xmlns='jabber:server'/>", "<x xmlns='jabber:client'/>"} {
		v := s.Refuse(parse(t, in), LimitForm)
		require.Equal(t, End, v.Action, in)
		require.Equal(t, framing.PolicyViolation, v.Condition)
	}
	unbound, err := New(Config{Identity: romeo, Rand: entropy(1)})
	require.NoError(t, err)
	require.Equal(t, End, unbound.Refuse(parse(t, "<message xmlns='jabber:client'/>"), LimitSize).Action)
}
