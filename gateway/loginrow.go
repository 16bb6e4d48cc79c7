package gateway

import (
	"sync"
	"time"
)

// A server may count refused logins as guessing by this machine and ban it, which
// is everybody: behind a gateway all have one address. ejabberd's mod_fail2ban
// does so; docs/adr/0038 has its arithmetic. So:
//
//   - An account that it has refused freeRefusals times is not asked about for a
//     time that doubles, and never with more than that under way at a time.
//   - From rowOfAll refusals in a row on, whoever it was, one login is let through
//     now and then (a trial), at intervals that double. A success ends the row.
//   - Accounts that were refused in this row wait for twice as long as others. If
//     they are fewer than rowOfAccounts they wait until the server has forgotten.
//     So a few people whom the server refuses keep nobody else waiting for longer
//     than the interval, half a minute at first.
//
// Only who knows a password that is right here gets that far. What is left to the
// server is a crowd that is under way when the first of it is refused.
const (
	freeRefusals  = 3
	firstPause    = time.Second
	longestPause  = time.Minute
	rowOfAll      = 14 // refusals in a row, of all accounts
	rowOfBan      = 20 // so many get a ban
	rowOfAccounts = 4  // so many accounts in it are a fault of the server
	rowForgotten  = time.Hour + 11*time.Minute
	firstTrial    = 30 * time.Second
	longestTrial  = 16 * time.Minute
)

// row is the refusals since the last success.
type row struct {
	mu              sync.Mutex
	count, accounts int
	began, last     int64
	tried           int64 // the last trial
}

// add counts one of an account that was refused before at a time, if ever.
func (r *row) add(now int64, before int64, ever bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	if r.count == 0 {
		r.began = now
	}
	if !ever || before < r.began {
		r.accounts++
	}
	r.count, r.last = r.count+1, now
}

// expire expects r.mu to be held.
func (r *row) expire(now int64) {
	if now-r.last > int64(rowForgotten) {
		r.count, r.accounts = 0, 0
	}
}

func (r *row) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count, r.accounts = 0, 0
}

// ask is how long one login has to wait for the row, 0 if the server may be asked
// now. underWay is how many logins have no answer yet; crowded says that it is
// these which have to be waited for. refused is when the account was last refused,
// 0 for never.
func (r *row) ask(now int64, underWay int, refused int64) (wait time.Duration, crowded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	again := refused != 0 && refused >= r.began
	switch {
	case r.count == 0:
		return 0, false
	case r.count < rowOfAll:
		return 0, r.count+underWay+1 >= rowOfBan
	case again && r.accounts < rowOfAccounts:
		return rowForgotten - time.Duration(now-r.last) + 1, false
	}
	pause := doubled(firstTrial, r.count-rowOfAll+1, longestTrial)
	if again {
		pause *= 2
	}
	if wait = pause - time.Duration(now-max(r.last, r.tried)); wait > 0 {
		return wait, false
	}
	r.tried = now
	return 0, false
}

// asking is which logins are with the server.
type asking struct {
	mu  sync.Mutex
	of  map[string]int // by account, none with 0
	all int
}

// add is -1 or 1.
func (a *asking) add(account string, n int) {
	a.all += n
	if a.of[account] += n; a.of[account] == 0 {
		delete(a.of, account)
	}
}

// ask says whether the server may be asked about an account, and counts the
// login as under way until answered is called. If not, wait is for how long it is
// not to be asked again; 0 if only what is under way has to be waited for.
func (g *guesses) ask(account string) (wait time.Duration, ok bool) {
	if wait := g.pause(account); wait > 0 {
		return wait, false
	}
	refused := int64(0)
	if f := g.refusals.find(account); f != nil {
		if count, last := f.since(); count > 0 {
			refused = last
		}
	}
	g.asking.mu.Lock()
	defer g.asking.mu.Unlock()
	if g.asking.of[account] >= freeRefusals {
		return 0, false
	}
	if !g.apart {
		if wait, crowded := g.row.ask(g.now(), g.asking.all, refused); wait > 0 || crowded {
			return wait, false
		}
	}
	g.asking.add(account, 1)
	return 0, true
}

// answered ends what ask has let through, after refused or right if it came to that.
func (g *guesses) answered(account string) {
	g.asking.mu.Lock()
	defer g.asking.mu.Unlock()
	g.asking.add(account, -1)
}
