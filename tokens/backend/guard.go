package backend

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Guesses are tries with passwords that people made up, which somebody else may
// guess. After the free ones an account gets one in 1, 2, 4, … 30 s whoever
// tries; so does an address, later, for many people may share it.
var (
	guessesPerAccount = pace{free: 4, first: time.Second, longest: 30 * time.Second, forget: 2 * time.Minute}
	guessesPerAddress = pace{free: 20, first: time.Second, longest: 30 * time.Second, forget: 2 * time.Minute}

	// Our own passwords cannot be guessed: a wrong one is only told later, so that
	// what retries in a loop does so more slowly.
	mistakes = pace{free: 3, first: 100 * time.Millisecond, longest: time.Second, forget: time.Minute}
)

// glances are looks at whether a password is one that was right before, which is
// told without asking anybody. A thousand are free, which is more than somebody
// without a botnet gets through; then they are as slow as guesses. Without that
// whoever is told "throttled" would know that the password is wrong, and could
// guess as fast as he can ask.
var glances = pace{free: 1000, first: time.Second, longest: 30 * time.Second, forget: 2 * time.Minute}

// trust is how long somebody who succeeded from an address is let through there
// while others are throttled, and a password that was right from anywhere.
const trust = 14 * 24 * time.Hour

// maxHeld bounds the answers that are held back at once.
const maxHeld = 128

// guard decides how long a try must wait. What it knows is in memory and bounded.
//
// Nobody can lock another out: our own passwords never wait, and whoever
// succeeded from an address lately has a count of their own there, which nobody
// from another address can raise. Where addresses are not known, what was right
// lately is recognised by a mark, a hash under a key that this process alone has.
type guard struct {
	now  func() time.Time
	seed maphash.Seed
	held chan struct{}

	mu        sync.Mutex
	accounts  *meter // guesses, by account
	addresses *meter // guesses, by network
	known     *meter // guesses, by account and network, of those who succeeded
	owners    *meter // glances, by account of those who succeeded; seen are the marks of what was right
	mistakes  *meter // wrong passwords that look like ours, by account or network
}

func newGuard(now func() time.Time) *guard {
	return &guard{
		now: now, seed: maphash.MakeSeed(), held: make(chan struct{}, maxHeld),
		accounts: newMeter(guessesPerAccount), addresses: newMeter(guessesPerAddress),
		known: newMeter(guessesPerAccount), owners: newMeter(glances), mistakes: newMeter(mistakes),
	}
}

// try is a guess that was let through. It counts as a failure from the start, so
// that a thousand at once are no more than a thousand in a row.
type try struct {
	g              *guard
	account, place string
	mark           uint64
	known          bool // succeeded from there lately
	recalled       bool // the password was right lately
	undo           []func()
}

// admit lets a guess through, or says how long it must wait.
func (g *guard) admit(username, address, secret string) (*try, time.Duration) {
	now := g.now()
	t := &try{g: g, account: account(username), place: network(address), mark: maphash.String(g.seed, secret) | 1}
	g.mu.Lock()
	defer g.mu.Unlock()
	regular := g.known.find(t.pair())
	t.known = regular != nil && now.Before(regular.trusted)
	t.recalled = !t.known && g.recall(t, now)
	wait := g.addresses.wait(t.place, now)
	switch {
	case t.known:
		wait = g.known.wait(t.pair(), now)
	case !t.recalled:
		wait = max(wait, g.accounts.wait(t.account, now))
	}
	if wait > 0 {
		return nil, wait
	}
	if t.known {
		t.undo = append(t.undo, g.known.add(t.pair(), now))
	}
	if t.place != "" {
		t.undo = append(t.undo, g.addresses.add(t.place, now))
	}
	// The same wrong password again is an app that has an old one, and no guess.
	if tally := g.accounts.find(t.account); tally == nil || !tally.has(t.mark) {
		t.count(now)
	}
	return t, 0
}

// recall says whether the password was right lately, if it may be looked at.
func (g *guard) recall(t *try, now time.Time) bool {
	own := g.owners.find(t.account)
	if own == nil || !now.Before(own.trusted) || g.owners.wait(t.account, now) > 0 {
		return false
	}
	if own.has(t.mark) {
		return true
	}
	if tally := g.accounts.find(t.account); tally == nil || !tally.has(t.mark) {
		g.owners.add(t.account, now)
	}
	return false
}

func (t *try) pair() string { return t.account + " " + t.place }

// count counts the guess against the account.
func (t *try) count(now time.Time) {
	t.undo = append(t.undo, t.g.accounts.add(t.account, now))
	tally := t.g.accounts.find(t.account)
	tally.note(t.mark)
	t.undo = append(t.undo, func() { tally.erase(t.mark) })
}

// end says what became of the guess: a wrong one stays counted.
func (t *try) end(answer Answer) {
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	own := t.g.owners.find(t.account)
	if answer == No {
		if own != nil {
			own.erase(t.mark) // it has been changed
		}
		// Not counted for the sake of an earlier one that was taken back since.
		if tally := t.g.accounts.find(t.account); tally == nil || !tally.has(t.mark) {
			t.count(t.g.now())
		}
		return
	}
	for _, undo := range t.undo {
		undo()
	}
	if answer != Yes {
		return
	}
	now := t.g.now()
	own = t.g.owners.entry(t.account, now)
	own.trusted = now.Add(trust)
	if !own.has(t.mark) {
		own.note(t.mark)
	}
	if t.place != "" {
		t.g.known.entry(t.pair(), now).trusted = now.Add(trust)
	}
}

// mistake counts a wrong password that no guessing leads to, and says for how
// long its answer is to be held back.
func (g *guard) mistake(username, address string) time.Duration {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	who := "account " + account(username)
	g.mistakes.add(who, now)
	wait := g.mistakes.wait(who, now)
	if place := network(address); place != "" {
		g.mistakes.add(place, now)
		wait = max(wait, g.mistakes.wait(place, now))
	}
	return wait
}

// account is the key of a name. Nobody's is so long that it is cut.
func account(username string) string {
	return strings.ToLower(username[:min(len(username), 64)])
}

// network is what counts as one place: an IPv4 address, or the /64 that a
// household has in IPv6. Loopback is where gateways and proxies sit, whoever is
// behind them, and no place.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	if a.IsLoopback() || a.IsUnspecified() {
		return ""
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
