package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documented is a row of the tables in docs/consent.md.
type documented struct{ rule, example, becomes, until string }

// readDocument reads the rows, with this package's names in the examples.
func readDocument(t *testing.T) (rows []documented, text string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/consent.md")
	require.NoError(t, err)
	names := strings.NewReplacer("alice", "romeo", "bob@example.org/raw", "juliet@social.example/b", "bob", "juliet", "example.org", "social.example")
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 5 || !strings.HasPrefix(cells[2], "`<") {
			continue
		}
		rows = append(rows, documented{
			rule: strings.TrimPrefix(cells[0], "| "), example: names.Replace(strings.Trim(cells[2], "`")),
			becomes: cells[3], until: strings.TrimSuffix(cells[4], " |"),
		})
	}
	return rows, string(b)
}

// untils are the consents with which a row does not hold any more.
var untils = map[string]Consent{
	"presence": contacts, "typing": {Typing: true}, "receipts": {Receipts: true}, "typing and receipts": {Typing: true, Receipts: true},
	"presence and receipts": {Presence: true, Receipts: true},
}

// settings are what comes before the example of a rule that is about an order of things.
var settings = map[string]ruleCase{
	"presence-held":       {noLists: true},
	"presence-leave-held": {noLists: true},
	"iq-block-shows":      {before: []string{"<presence/>"}},
	"iq-remove-shows":     {before: []string{"<presence/>"}},
	"privacy-decline":     {before: []string{"<presence/>"}},
	"privacy-order-leave": {consent: contacts, before: []string{"<presence/>", setOurs}},
	"privacy-order-set":   {consent: contacts},
}

// TestConsentTable holds docs/consent.md to the rules: each row alone does to its example what it says, until there is the consent
// that it says.
func TestConsentTable(t *testing.T) {
	rows, _ := readDocument(t)
	for _, d := range rows {
		t.Run(d.rule, func(t *testing.T) {
			c := settings[d.rule]
			s := settled(t, c, c.consent, d.rule)
			requireBecomes(t, s, d)
			switch d.until {
			case "in order":
			case "never":
				requireBecomes(t, settled(t, c, all, d.rule), d)
			default:
				require.Contains(t, untils, d.until)
				v := client(t, settled(t, c, untils[d.until], d.rule), d.example)
				require.NotEqual(t, d.rule, v.Reason)
				require.NotContains(t, reasons, v.Reason, "it passes")
				less := untils[d.until]
				less.Presence, less.Typing, less.Receipts = false, !less.Typing, false
				requireBecomes(t, settled(t, c, less, d.rule), d)
			}
		})
	}
}

// settled is a stream on which the rule's example can come.
func settled(t *testing.T, c ruleCase, consent Consent, rule string) *Stream {
	t.Helper()
	s := bound(t, consent, !c.noLists)
	for _, frame := range c.before {
		send(t, s, frame)
	}
	if rule == "privacy-blocked" {
		s.state.Blocks.Unknown = true
	}
	if rule == "presence-rooms" {
		for i := range maxDirected {
			s.state.Directed[strings.Repeat("x", i+1)+"@rooms.example.net"] = room
		}
	}
	return s
}

func requireBecomes(t *testing.T, s *Stream, d documented) {
	t.Helper()
	e := parse(t, d.example)
	v := s.FromClient(e)
	require.Equal(t, Replace, v.Action)
	require.Equal(t, d.rule, v.Reason)
	switch d.becomes {
	case "refused":
		requireRefused(t, s, e, d.rule, v.Frame)
	case "held back":
		requireHeld(t, v.Frame)
	case "taken out":
		requireHeld(t, v.Frame)
		v = client(t, s, strings.Replace(d.example, "</message>", body+"</message>", 1))
		require.Contains(t, string(v.Frame), body)
		require.NotContains(t, string(v.Frame), string(e.First().Raw))
	case "answered for":
		require.Contains(t, string(v.Frame), serviceNo)
	default:
		t.Fatalf("%q is no outcome", d.becomes)
	}
}

// TestConsentTableIsWhole: each rule that keeps something back has one row, and the commands are listed.
func TestConsentTableIsWhole(t *testing.T) {
	rows, text := readDocument(t)
	have := map[string]int{}
	for _, d := range rows {
		have[d.rule]++
	}
	want := map[string]int{"iq-answer": 1}
	for rule := range reasons {
		want[rule] = 1
	}
	for _, s := range signals {
		want[s.name] = 1
	}
	for _, cases := range [][]ruleCase{presenceCases, messageCases, iqCases, privacyCases} {
		for _, c := range cases {
			if c.want == held {
				want[c.rule] = 1
			}
		}
	}
	require.Equal(t, want, have)
	require.Contains(t, text, "```\n"+strings.Join(AdminCommands, "\n")+"\n```")
}
