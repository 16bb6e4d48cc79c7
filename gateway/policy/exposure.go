package policy

// Exposure is what a stream shows, and what hides it: all that a resumption has to know in order not to take a stream that is
// seen for a hidden one. Two of them can be compared by ==. What else a Snapshot holds (ids given out, answers that are still
// to be rewritten, rooms, presence held back) makes nobody visible: a resumption that does not know the last of it
// hands an answer on as it is, or refuses a stanza that would have passed.
type Exposure struct {
	consent                    Consent
	present, shown, listed     bool
	listSet, noLists, declined bool
	persons                    int // who got directed presence
	steps                      int // of the privacy walk, without an answer so far
	blocked                    int // whom the list has to name
	outdated, unknown          bool
}

// Exposure returns what the stream shows once the server has all that the verdicts so far let through.
func (s *Stream) Exposure() Exposure {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := Exposure{
		consent: s.state.Consent, present: s.state.Present, shown: s.state.Shown, listed: s.state.ListActive,
		listSet: s.state.ListSet, noLists: s.state.NoLists, declined: s.state.Declined,
		blocked: len(s.state.Blocks.Who), outdated: s.state.Blocks.Changed, unknown: s.state.Blocks.Unknown,
	}
	for _, kind := range s.state.Directed {
		if kind == person {
			x.persons++
		}
	}
	for i := range s.state.Replaced {
		if s.state.Replaced[i].Step != "" {
			x.steps++
		}
	}
	return x
}

// WiderThan reports whether somebody may see more now than before, or less keeps them from it. Whoever keeps a Snapshot
// for a resumption keeps it before the server gets the step that made it so.
func (x Exposure) WiderThan(before Exposure) bool {
	return x.shown && !before.shown || x.present && !before.present || !x.listed && before.listed || x.persons > before.persons
}
