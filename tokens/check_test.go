package tokens

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

// What Mastodon or the admin says of an account, each with its word; when it is
// well again the same password works.
func TestRefusedAccounts(t *testing.T) {
	for standing, want := range map[string]string{
		"good": ReasonSuspended, "suspended": ReasonSuspended, "disabled": ReasonDisabled,
		"moved": ReasonMoved, "deleted": ReasonDeleted, "unconfirmed": ReasonUnconfirmed,
	} {
		t.Run(standing, func(t *testing.T) {
			f := newFixture(t, nil)
			_, secret := f.device(ServiceXMPP, "Phone")
			temporary, internal := f.issue(), f.issueInternal()
			f.exec(`UPDATE accounts SET suspended_at = 1, standing = $1 WHERE id = '1'`, standing)
			require.Equal(t, want, f.ask("alice", secret))
			require.Equal(t, want, f.ask("alice", temporary))
			require.Equal(t, ReasonWrongUser, f.ask("bob", secret), "nobody else learns how alice stands")
			require.Equal(t, ReasonOK, f.ask("alice", internal), "our own stream must be able to end theirs")
			f.exec(`UPDATE accounts SET suspended_at = NULL, standing = 'good'`)
			require.Equal(t, ReasonOK, f.ask("alice", secret))
		})
	}
}

func TestVerdictSaysWhoseItIs(t *testing.T) {
	f := newFixture(t, nil)
	temporary := f.issue()
	d, device := f.device(ServiceXMPP, "Phone")
	v, err := f.Check(t.Context(), Attempt{Service: "xmpp", Username: "alice", Secret: temporary})
	require.NoError(t, err)
	require.Equal(t, Verdict{OK: true, Account: "1", Session: "s", Credential: v.Credential, Purpose: "temporary", Reason: "ok"}, v)
	v, err = f.Check(t.Context(), Attempt{Service: "xmpp", Username: "bob", Secret: device})
	require.NoError(t, err)
	require.Equal(t, Verdict{Account: "1", Credential: d.ID, Purpose: "device", Reason: "wrong_user"}, v)
	v, err = f.Check(t.Context(), Attempt{Service: "xmpp", Username: "alice", Secret: flip(device)})
	require.NoError(t, err)
	require.Equal(t, Verdict{Reason: "unknown_secret"}, v)
	f.clock.advance(10 * time.Second)
	require.Equal(t, ReasonExpired, f.ask("alice", temporary))
	require.NoError(t, f.RevokeSession(t.Context(), "s", "signed out"))
	require.Equal(t, ReasonRevoked, f.ask("alice", temporary))
}

// mastodon answers Recheck by writing, as the web side does.
type mastodon struct {
	f     *fixture
	calls atomic.Int32
	err   error
	write string // what it does to account 1
}

func (m *mastodon) recheck(ctx context.Context, account string) error {
	m.calls.Add(1)
	if m.err != nil {
		return m.err
	}
	_, err := m.f.db.ExecContext(ctx, m.write, account)
	return err
}

func withMastodon(t *testing.T) (*fixture, *mastodon) {
	m := &mastodon{}
	m.f = newFixture(t, func(c *Config) { c.Recheck = m.recheck })
	return m.f, m
}

const (
	trustAgain = `UPDATE accounts SET trusted_until = 4102444800000, standing_at = 4102444800000 WHERE id = $1`
	disable    = `UPDATE accounts SET suspended_at = 1, standing = 'disabled' WHERE id = $1`
)

// Mastodon has not been heard of for longer than the grace.
func TestUntrustedDeviceAsksMastodon(t *testing.T) {
	f, m := withMastodon(t)
	_, secret := f.device(ServiceXMPP, "Phone")
	temporary := f.issue()
	attempt := Attempt{Service: "xmpp", Username: "alice", Secret: secret}
	f.exec(`UPDATE accounts SET trusted_until = $1`, f.clock.Now().UnixMilli())
	require.Equal(t, ReasonOK, f.ask("alice", temporary), "a temporary one rests on a login, not on the grace")
	require.Equal(t, ReasonWrongUser, f.ask("bob", secret))
	require.Zero(t, m.calls.Load(), "who does not know the password causes no question")

	m.err = errors.New("no route to host")
	v, err := f.Check(t.Context(), attempt)
	require.ErrorIs(t, err, ErrStandingUnknown)
	require.ErrorContains(t, err, "no route to host")
	require.Equal(t, ReasonUntrusted, v.Reason)
	require.False(t, v.OK)
	_, err = f.Check(t.Context(), attempt)
	require.ErrorIs(t, err, ErrStandingUnknown)
	require.EqualValues(t, 1, m.calls.Load(), "not more often than every 10 s")

	f.clock.advance(10 * time.Second)
	m.err, m.write = nil, trustAgain
	require.Equal(t, ReasonOK, f.ask("alice", secret))
	require.EqualValues(t, 2, m.calls.Load())
	require.Equal(t, ReasonOK, f.ask("alice", secret))
	require.EqualValues(t, 2, m.calls.Load(), "trusted again")

	f.clock.advance(time.Minute)
	f.exec(`UPDATE accounts SET trusted_until = 1`)
	m.write = disable
	require.Equal(t, ReasonDisabled, f.ask("alice", secret))
}

func TestUntrustedWithoutAnybodyToAsk(t *testing.T) {
	f := newFixture(t, nil)
	_, secret := f.device(ServiceXMPP, "Phone")
	f.exec(`UPDATE accounts SET trusted_until = 1`)
	_, err := f.Verify(t.Context(), "alice", secret)
	require.ErrorIs(t, err, ErrStandingUnknown)
}

// Many logins at once are one question, and all of them get its answer; that who
// asked it gave up hurts nobody else.
func TestManyLoginsAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := make(chan struct{}, 100), make(chan struct{})
		f := newFixture(t, nil)
		f.rechecks.recheck = func(ctx context.Context, account string) error {
			asked <- struct{}{}
			select {
			case <-answer:
			case <-ctx.Done():
				return ctx.Err()
			}
			_, err := f.db.ExecContext(ctx, trustAgain, account)
			return err
		}
		f.exec(`UPDATE accounts SET standing_at = $1`, f.clock.Now().UnixMilli())
		_, secret := f.device(ServiceXMPP, "Phone")
		f.exec(`UPDATE accounts SET trusted_until = 1`)
		impatient, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := f.Verify(impatient, "alice", secret); err == nil {
				t.Error("who gave up got an answer")
			}
		})
		synctest.Wait()
		require.Len(t, asked, 1)
		var accepted atomic.Int32
		for range 20 {
			wg.Go(func() {
				if ok, err := f.Verify(t.Context(), "alice", secret); err == nil && ok {
					accepted.Add(1)
				}
			})
		}
		synctest.Wait()
		require.Len(t, asked, 1)
		cancel()
		synctest.Wait()
		require.Len(t, asked, 2, "another one asks in their place")
		close(answer)
		wg.Wait()
		require.EqualValues(t, 20, accepted.Load())
		require.Len(t, asked, 2)
	})
}

// Mastodon takes longer than an XMPP server waits: Run waits in its place, and
// the next login finds the answer.
func TestSlowMastodonIsWaitedForInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := sqldbtest.New(t)
		addPeople(t, db)
		slow := func(ctx context.Context) error {
			select {
			case <-time.After(5 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		s, err := New(Config{DB: db, Key: testKey,
			Recheck: func(ctx context.Context, account string) error {
				if err := slow(ctx); err != nil {
					return err
				}
				_, err := db.ExecContext(ctx, trustAgain, account)
				return err
			},
			LookupName: func(ctx context.Context, _ string) (bool, error) { return true, slow(ctx) },
		})
		require.NoError(t, err)
		f := &fixture{Service: s, t: t, db: db}
		_, secret := f.device(ServiceXMPP, "Phone")
		f.exec(`UPDATE accounts SET trusted_until = 1`)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(ctx) })

		short, cancelShort := context.WithTimeout(ctx, time.Second)
		defer cancelShort()
		_, err = s.Exists(short, "carol")
		require.ErrorIs(t, err, ErrCannotTell)
		short, cancelShort = context.WithTimeout(ctx, time.Second)
		defer cancelShort()
		_, err = s.Verify(short, "alice", secret)
		require.Error(t, err)
		pass(6 * time.Second)
		require.Equal(t, ReasonOK, f.ask("alice", secret))
		short, cancelShort = context.WithTimeout(ctx, time.Second)
		defer cancelShort()
		exists, err := s.Exists(short, "carol")
		require.NoError(t, err)
		require.True(t, exists)
		cancel()
		wg.Wait()
	})
}

// A login with a password that rests on an old word is let in, and Mastodon is
// asked behind its back: by Run, not too often, and also about who is refused.
func TestOldWordIsRenewedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mastodon{}
		s, err := New(Config{DB: sqldbtest.New(t), Key: testKey, Recheck: m.recheck})
		require.NoError(t, err)
		f := &fixture{Service: s, t: t, db: s.db}
		m.f = f
		addPeople(t, f.db)
		_, secret := f.device(ServiceXMPP, "Phone")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(ctx) })
		synctest.Wait()

		f.exec(`UPDATE accounts SET standing_at = $1`, time.Now().UnixMilli())
		pass(time.Hour)
		require.Equal(t, ReasonOK, f.ask("alice", secret))
		synctest.Wait()
		require.Zero(t, m.calls.Load(), "an hour is not old")
		pass(time.Second)
		m.err = errors.New("away")
		for range 3 {
			require.Equal(t, ReasonOK, f.ask("alice", secret))
			synctest.Wait()
		}
		require.EqualValues(t, 1, m.calls.Load())
		pass(5 * time.Minute)
		m.err, m.write = nil, disable
		require.Equal(t, ReasonOK, f.ask("alice", secret))
		synctest.Wait()
		require.EqualValues(t, 2, m.calls.Load())
		require.Equal(t, ReasonDisabled, f.ask("alice", secret))
		pass(5 * time.Minute)
		m.write = `UPDATE accounts SET suspended_at = NULL, standing = 'good' WHERE id = $1`
		require.Equal(t, ReasonDisabled, f.ask("alice", secret))
		synctest.Wait()
		require.Equal(t, ReasonOK, f.ask("alice", secret), "good news is found as well")
		cancel()
		wg.Wait()
	})
}

// A new device password rests on what Mastodon said in the last five minutes.
func TestIssueAsksForAFreshWord(t *testing.T) {
	f, m := withMastodon(t)
	now := func() int64 { return f.clock.Now().UnixMilli() }
	f.exec(`UPDATE accounts SET standing_at = $1`, now())
	f.clock.advance(5 * time.Minute)
	f.device(ServiceXMPP, "just in time")
	require.Zero(t, m.calls.Load())
	f.clock.advance(time.Second)
	m.err = errors.New("away")
	_, _, err := f.IssueDevice(t.Context(), "1", ServiceXMPP, "x")
	require.ErrorIs(t, err, ErrStandingUnknown)
	require.EqualValues(t, 1, m.calls.Load())
	f.clock.advance(time.Minute)
	m.err, m.write = nil, disable
	_, _, err = f.IssueDevice(t.Context(), "1", ServiceXMPP, "x")
	require.ErrorIs(t, err, ErrSuspended)
	f.exec(`UPDATE accounts SET suspended_at = NULL, standing = 'good'`)
	f.clock.advance(time.Minute)
	m.write = fmt.Sprintf(`UPDATE accounts SET standing_at = %d WHERE id = $1`, now())
	f.device(ServiceXMPP, "welcome")
	f.device(ServiceXMPP, "and another")
	require.EqualValues(t, 3, m.calls.Load())
	_, _, err = f.IssueDevice(t.Context(), "404", ServiceXMPP, "x")
	require.ErrorIs(t, err, ErrUnknownAccount)
}

func TestRechecksMemoryIsBounded(t *testing.T) {
	r := newRechecks(func(context.Context, string) error { return nil }, make(errands, maxErrands))
	now := time.Unix(1e9, 0)
	for i := range maxRechecks + 100 {
		require.NoError(t, r.ask(t.Context(), fmt.Sprint(i), now))
		r.later(fmt.Sprint("later ", i), now)
	}
	require.LessOrEqual(t, len(r.asked), maxRechecks)
	require.Len(t, r.errands, maxErrands)
	require.Len(t, r.queued, maxErrands)
	require.Empty(t, r.running)
}

// The admin's word: streams end, nothing is accepted, and then all is as before.
func TestBlockAndUnblock(t *testing.T) {
	f := newFixture(t, nil)
	_, secret := f.device(ServiceXMPP, "Phone")
	_, bobs, err := f.IssueDevice(t.Context(), "2", ServiceXMPP, "Phone")
	require.NoError(t, err)
	temporary := f.issue()
	require.NoError(t, f.BlockAccount(t.Context(), "1", "spam"))
	require.Equal(t, ReasonBlocked, f.ask("alice", secret))
	require.Equal(t, ReasonRevoked, f.ask("alice", temporary))
	require.Equal(t, ReasonOK, f.ask("alice", f.issueInternal()))
	require.Equal(t, ReasonOK, f.ask("bob", bobs))
	f.exec(`UPDATE accounts SET suspended_at = NULL, last_login_at = 5`) // Mastodon's good news
	require.Equal(t, ReasonBlocked, f.ask("alice", secret))

	at := f.clock.Now().Truncate(time.Millisecond)
	f.clock.advance(time.Hour)
	require.NoError(t, f.BlockAccount(t.Context(), "1", "more spam"))
	a, found, err := f.AccountNamed(t.Context(), "Alice")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, at, a.Blocked, "since when, not since the last word")
	require.Equal(t, "more spam", a.BlockedReason)

	require.NoError(t, f.UnblockAccount(t.Context(), "1", "sorry"))
	require.Equal(t, ReasonOK, f.ask("alice", secret))
	require.Equal(t, ReasonRevoked, f.ask("alice", temporary))
	require.NoError(t, f.UnblockAccount(t.Context(), "1", "again"))
	require.ErrorIs(t, f.BlockAccount(t.Context(), "404", "x"), ErrUnknownAccount)
	require.ErrorIs(t, f.UnblockAccount(t.Context(), "404", "x"), ErrUnknownAccount)
	ended, _, err := f.Feed(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, ended, 2)
	require.Equal(t, "account 1 alice spam", strings.Join([]string{ended[0].Kind, ended[0].Subject, ended[0].Username, ended[0].Reason}, " "))
}

// EndAccount leaves what RevokeAccount takes.
func TestEndAgainstRevoke(t *testing.T) {
	f := newFixture(t, phone)
	_, secret := f.device(ServiceXMPP, "Phone")
	_, sip := f.device(ServiceSIP, "Desk")
	temporary, internal := f.issue(), f.issueInternal()
	require.NoError(t, f.EndAccount(t.Context(), "1", "suspended"))
	require.Equal(t, ReasonRevoked, f.ask("alice", temporary))
	require.Equal(t, ReasonRevoked, f.ask("alice", internal))
	require.Equal(t, ReasonOK, f.ask("alice", secret))
	require.Equal(t, 1, f.count(`SELECT count(*) FROM subscriber`))
	require.NoError(t, f.RevokeAccount(t.Context(), "1", "forgotten"))
	require.Equal(t, ReasonRevoked, f.ask("alice", secret))
	require.Equal(t, ReasonRevoked, f.askFor(ServiceSIP, "alice", sip))
	require.Zero(t, f.count(`SELECT count(*) FROM subscriber`))
}

func TestAccounts(t *testing.T) {
	f := newFixture(t, phone)
	f.device(ServiceSIP, "Desk")
	f.exec(`UPDATE accounts SET display_name = 'Alice A.', suspended_at = 2000, standing = 'moved', created_at = 1000 WHERE id = '1'`)
	var names []string
	var alice Account
	require.NoError(t, f.Accounts(t.Context(), func(a Account) error {
		names = append(names, a.Username)
		if a.ID == "1" {
			alice = a
		}
		return nil
	}))
	require.Equal(t, []string{"alice", "bob"}, names)
	require.Equal(t, Account{
		ID: "1", Username: "alice", DisplayName: "Alice A.", Created: time.UnixMilli(1000).UTC(), Standing: "moved",
		StandingAt: time.UnixMilli(farAway).UTC(), TrustedUntil: time.UnixMilli(farAway).UTC(),
		Suspended: time.UnixMilli(2000).UTC(), Devices: 1,
	}, alice)
	_, found, err := f.AccountNamed(t.Context(), "carol")
	require.NoError(t, err)
	require.False(t, found)
}
