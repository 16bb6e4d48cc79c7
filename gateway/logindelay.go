package gateway

import (
	"sync"
	"time"
)

// Failed logins. What can be guessed here are secrets of more than a hundred
// random bits, so a right one is let through at once whatever happened before:
// nobody can lock an account, or an address, for those who know the password.
// Only the answer to a wrong one is held back, longer each time.
const (
	firstDelay = 250 * time.Millisecond // doubled with each further failure
	forgetting = 15 * time.Minute       // without a failure, after which none counts
	knownFor   = 14 * 24 * time.Hour    // after a success: the failures of others do not count

	// Failures that are answered at once: of a name at one address, of a name
	// wherever, of an address whatever the name.
	freePair, freeName, freeAddress = 1, 4, 10
)

// guesses knows who has failed to log in lately. Any goroutine may use it.
type guesses struct {
	now     func() int64 // nanoseconds
	longest time.Duration
	// apart: the server knows the browsers' addresses, and a ban is for one of them.
	apart bool

	pairs, names, addresses *table[failures]
	refusals                *table[failures] // by account
	known                   *table[success]  // by name and address
	row                     row
	asking                  asking
}

func newGuesses(now func() int64, longest time.Duration) *guesses {
	return &guesses{
		now: now, longest: longest,
		pairs: newTable[failures](tableSize), names: newTable[failures](tableSize), addresses: newTable[failures](tableSize),
		refusals: newTable[failures](tableSize), known: newTable[success](tableSize),
		asking: asking{of: map[string]int{}},
	}
}

// failures are those in a row.
type failures struct {
	mu    sync.Mutex
	count int
	last  int64
}

// add counts one and returns how many there are.
func (f *failures) add(now int64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now-f.last > int64(forgetting) {
		f.count = 0
	}
	f.count, f.last = f.count+1, now
	return f.count
}

func (f *failures) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count = 0
}

// since is how many there are and when the last one was.
func (f *failures) since() (count int, last int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count, f.last
}

// success is when the last one was, 0 for never.
type success struct {
	mu   sync.Mutex
	last int64
}

// wrong counts a wrong login and returns how long its answer has to wait.
func (g *guesses) wrong(name, address string) time.Duration {
	now := g.now()
	n := g.pairs.at(name, address).add(now) - freePair
	anywhere := g.names.at(name).add(now) - freeName
	here := g.addresses.at(address).add(now) - freeAddress
	if !g.isKnown(name, address, now) {
		n = max(n, anywhere, here)
	}
	return doubled(firstDelay, n, g.longest)
}

// right notes that somebody has logged in: their own failures are forgotten,
// and those of others at this address or under this name are not theirs.
func (g *guesses) right(name, address, account string) {
	for _, f := range []*failures{g.pairs.find(name, address), g.refusals.find(account)} {
		if f != nil {
			f.forget()
		}
	}
	g.row.forget()
	k := g.known.at(name, address)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = max(1, g.now())
}

func (g *guesses) isKnown(name, address string, now int64) bool {
	k := g.known.find(name, address)
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last != 0 && now-k.last < int64(knownFor)
}

// refused notes that the server has refused a login that was right here.
func (g *guesses) refused(account string) {
	now := g.now()
	f := g.refusals.at(account)
	count, last := f.since()
	f.add(now)
	g.row.add(now, last, count > 0)
}

// pause is for how long the server is not to be asked about an account because it
// has refused that one.
func (g *guesses) pause(account string) time.Duration {
	f := g.refusals.find(account)
	if f == nil {
		return 0
	}
	now := g.now()
	count, last := f.since()
	if count < freeRefusals {
		return 0
	}
	wait := doubled(firstPause, count-freeRefusals+1, longestPause) - time.Duration(now-last)
	return max(0, wait)
}

// doubled is first for n = 1, twice that for 2 and so on, up to longest; 0 for
// none.
func doubled(first time.Duration, n int, longest time.Duration) time.Duration {
	if n <= 0 || longest <= 0 {
		return 0
	}
	d := first
	for ; n > 1 && d < longest; n-- {
		d *= 2
	}
	return min(d, longest)
}
