package webclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// How the watch goes about it. Mastodon allows each person's token 300 calls in five
// minutes and our address as many without one; a part of the latter is left over for
// what people wait for (mastodon.Client.PublicBusy).
const (
	watchPerSecond = 10
	watchPortion   = 200 // people per sweep
	watchMost      = 10_000
)

// watched is somebody to ask about.
type watched struct {
	account string
	q       question
	live    bool // there are streams
	hook    bool // a webhook told of them
	again   bool // a webhook's, and the answer may still come from a cache
}

// watchStanding asks Mastodon about everybody who would go on chatting unasked:
// people with live streams each Config.StandingEvery, people with device passwords
// each quarter of Config.Grace, and as often about those who were refused, so that
// who only has a phone gets back in. It asks one after another, webhooks' people
// first, and asks nobody while Mastodon is silent or wants to be left alone.
func (s *Server) watchStanding(ctx context.Context) error {
	ticker := time.NewTicker(s.pace.standingRound)
	defer ticker.Stop()
	pace := rate.NewLimiter(watchPerSecond, watchPerSecond)
	var swept time.Time
	refused := map[string]time.Time{} // when each was asked about last
	for {
		s.payEndings(ctx)
		due, err := s.dueNow(ctx)
		if now := time.Now(); err == nil && now.Sub(swept) >= s.pace.standingSweep {
			swept = now
			var more []watched
			var rest bool
			if more, rest, err = s.dueDevices(ctx, refused); rest {
				swept = time.Time{}
			}
			due = append(due, more...)
		}
		s.note(ctx, "looking whom to ask Mastodon about", err)
		s.askAll(ctx, due, pace)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.wakeStanding:
		}
	}
}

// askAll asks about each of due, until Mastodon falls silent: the rest is found
// again in a later round.
func (s *Server) askAll(ctx context.Context, due []watched, pace *rate.Limiter) {
	defer s.metrics.pending.Set(0)
	now := s.cfg.Now()
	down := s.asked.hushed(now)
	// So that its return is seen, whoever is due:
	if len(due) == 0 && s.metrics.lasts(&s.metrics.silent, now) > 0 && s.asked.may(now, s.pace.standingRetry) {
		_, err := s.cfg.Mastodon.Instance(ctx)
		s.heard(err)
	}
	for i, one := range due {
		s.metrics.pending.Set(float64(len(due) - i))
		busy := s.cfg.Mastodon.PublicBusy()
		if one.q.person {
			busy = s.cfg.Mastodon.PersonsBusy()
		}
		if down || busy > 0 || pace.Wait(ctx) != nil {
			s.hookAgain(one)
			continue
		}
		down = s.askAbout(ctx, one)
	}
}

// askAbout asks about somebody and tells whether Mastodon is silent.
func (s *Server) askAbout(ctx context.Context, one watched) (down bool) {
	st, err := s.examine(ctx, one.account, one.q)
	var silent *cannotTell
	switch {
	case errors.As(err, &silent):
		s.hookAgain(one)
	case noRow(err): // forgotten meanwhile
	case err != nil:
		s.note(ctx, "asking Mastodon about an account", err)
		s.hookAgain(one)
	case one.again && st.refused:
		s.hooked.add(one.account, hookTask{at: s.cfg.Now().Add(s.pace.standingHold), enabled: one.q.enabled})
	}
	if st.refused && (one.live || !s.ended.has(one.account)) {
		s.note(ctx, "ending the streams of an account", s.endStreams(ctx, one.account, standingCodes[st.now]))
	}
	return errors.Is(err, mastodon.ErrDown) || errors.Is(err, mastodon.ErrNotMastodon)
}

// hookAgain puts off a question that a webhook asked for. Others are found again.
func (s *Server) hookAgain(one watched) {
	if one.hook {
		s.hooked.add(one.account, hookTask{at: s.cfg.Now().Add(s.pace.standingRetry), enabled: one.q.enabled, again: one.again})
	}
}

// payEndings tries again what failed.
func (s *Server) payEndings(ctx context.Context) {
	for account, reason := range s.ended.all() {
		s.note(ctx, "ending the streams of an account", s.endStreams(ctx, account, reason))
	}
}

// dueNow is whom webhooks told of, and whoever is online and was not asked about for
// long.
func (s *Server) dueNow(ctx context.Context) ([]watched, error) {
	now := s.cfg.Now()
	var due []watched
	for account, task := range s.hooked.take(now) {
		due = append(due, watched{account: account, q: question{person: true, enabled: task.enabled}, hook: true, again: task.again})
	}
	live := s.cfg.LiveAccounts()
	for start := 0; start < len(live); start += watchPortion {
		some := live[start:min(start+watchPortion, len(live))]
		list, err := s.standings(ctx, `id IN (`+places(len(some))+`)`, asAny(some)...)
		if err != nil {
			return due, err
		}
		for _, a := range list {
			if a.refused || !now.Before(a.at.Add(jitter(a.account, a.at, s.cfg.StandingEvery))) {
				due = append(due, watched{account: a.account, q: question{age: s.cfg.StandingEvery * 8 / 10, person: true}, live: true})
			}
		}
	}
	return due, nil
}

const withDevices = `EXISTS (SELECT 1 FROM credentials c WHERE c.account_id = a.id AND c.purpose = 'device'
	AND c.revoked_at IS NULL)`

// dueDevices is whoever has device passwords and was not asked about for long, those
// first who have waited longest; rest tells that there are more. Who used one since
// then is asked about as the person, which sees more; others are looked at from
// outside, for being asked about must not make somebody look active who is not.
// refused remembers when those who are refused were asked about.
func (s *Server) dueDevices(ctx context.Context, refused map[string]time.Time) (due []watched, rest bool, err error) {
	now, every := s.cfg.Now(), s.cfg.Grace/4
	age := every * 8 / 10
	list, err := s.standings(ctx, `suspended_at IS NULL AND standing_at < $1 AND `+withDevices+` ORDER BY standing_at LIMIT $2`,
		now.Add(-age).UnixMilli(), watchPortion)
	if err != nil {
		return nil, false, err
	}
	for _, a := range list {
		if !now.Before(a.at.Add(jitter(a.account, a.at, every))) {
			due = append(due, watched{account: a.account, q: question{age: age, person: a.active}})
		}
	}
	rest = len(due) == watchPortion
	out, err := s.standings(ctx, `suspended_at IS NOT NULL AND `+withDevices+` ORDER BY suspended_at DESC LIMIT $1`, watchMost)
	if err != nil {
		return due, rest, err
	}
	listed := make(map[string]bool, len(out))
	for _, a := range out {
		listed[a.account] = true
		if s.hooked.has(a.account) {
			continue // it is being acted upon, and asked about in its time
		}
		if _, known := refused[a.account]; !known && s.ended.has(a.account) {
			refused[a.account] = s.ended.at(a.account) // that is what Mastodon said then
		}
		if now.Sub(refused[a.account]) >= every {
			refused[a.account] = now
			due = append(due, watched{account: a.account, q: question{person: true}})
		}
	}
	maps.DeleteFunc(refused, func(account string, _ time.Time) bool { return !listed[account] })
	return due, rest, s.countRefused(ctx)
}

func (s *Server) countRefused(ctx context.Context) error {
	var n int
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT count(*) FROM accounts WHERE suspended_at IS NOT NULL`).Scan(&n)
	if err != nil {
		return fmt.Errorf("webclient: standing: %w", err)
	}
	s.metrics.refused.Set(float64(n))
	return nil
}

// stands is one row of standings.
type stands struct {
	account string
	at      time.Time
	refused bool
	active  bool // a device password was used since
}

// standings reads those accounts a that nobody blocked and that where picks.
func (s *Server) standings(ctx context.Context, where string, args ...any) ([]stands, error) {
	rows, err := s.cfg.DB.QueryContext(ctx, `SELECT id, standing_at, suspended_at IS NOT NULL,
		EXISTS (SELECT 1 FROM credentials c WHERE c.account_id = a.id AND c.purpose = 'device' AND c.last_used_at > a.standing_at)
		FROM accounts a WHERE blocked_at IS NULL AND `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("webclient: standing: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var list []stands
	for rows.Next() {
		var a stands
		var at int64
		if err := rows.Scan(&a.account, &at, &a.refused, &a.active); err != nil {
			return nil, fmt.Errorf("webclient: standing: %w", err)
		}
		a.at = time.UnixMilli(at)
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("webclient: standing: %w", err)
	}
	return list, nil
}

// places is "$1, $2, …", n of them.
func places(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(list, ", ")
}

func asAny(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// jitter is every, a fifth more or less, always the same for one account and the
// time it was last asked about: people who came at once are not asked about at once.
func jitter(account string, at time.Time, every time.Duration) time.Duration {
	sum := fingerprint(account + "\x00" + strconv.FormatInt(at.UnixMilli(), 10))
	part := float64(binary.BigEndian.Uint32(sum)) / (1 << 32)
	return time.Duration(float64(every) * (0.8 + 0.4*part))
}
