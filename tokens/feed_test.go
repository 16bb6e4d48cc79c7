package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (f *fixture) revokeMany(from, to int) {
	f.t.Helper()
	for i := from; i < to; i++ {
		require.NoError(f.t, f.RevokeCredential(f.t.Context(), fmt.Sprint(i), "test"))
	}
}

func TestFeedTellsAll(t *testing.T) {
	f := newFixture(t, nil)
	d, _ := f.device(ServiceXMPP, "Phone")
	temporary := f.issue()
	_, _, credential, _ := f.lookup("alice", temporary)
	f.exec(`INSERT INTO logins (id, account_id, created_at, last_seen_at, expires_at) VALUES ('s', '1', 0, 0, 0)`)
	_, start, err := f.Feed(t.Context(), -1, 10)
	require.NoError(t, err)
	require.Zero(t, start)
	_, err = f.RevokeDevice(t.Context(), "1", d.ID, "lost")
	require.NoError(t, err)
	require.NoError(t, f.RevokeCredential(t.Context(), credential, "ended"))
	require.NoError(t, f.RevokeSession(t.Context(), "s", "signed out"))
	require.NoError(t, f.EndAccount(t.Context(), "2", "suspended"))
	require.NoError(t, f.RevokeCredential(t.Context(), "gone", "nobody knows"))

	at := f.clock.Now().Truncate(time.Millisecond)
	ended, last, err := f.Feed(t.Context(), start, 100)
	require.NoError(t, err)
	for i := range ended {
		require.Positive(t, ended[i].Seq)
		ended[i].Seq = 0
	}
	require.Equal(t, []Revocation{
		{Kind: "credential", Subject: d.ID, Account: "1", Username: "alice", Purpose: "device", Reason: "lost", At: at},
		{Kind: "credential", Subject: credential, Account: "1", Username: "alice", Purpose: "temporary", Reason: "ended", At: at},
		{Kind: "session", Subject: "s", Account: "1", Username: "alice", Purpose: "temporary", Reason: "signed out", At: at},
		{Kind: "account", Subject: "2", Account: "2", Username: "bob", Reason: "suspended", At: at},
		{Kind: "credential", Subject: "gone", Reason: "nobody knows", At: at},
	}, ended)
	ended, again, err := f.Feed(t.Context(), last, 100)
	require.NoError(t, err)
	require.Empty(t, ended)
	require.Equal(t, last, again)
	_, end, err := f.Feed(t.Context(), -1, 100)
	require.NoError(t, err)
	require.Equal(t, last, end)
}

func TestFeedInPages(t *testing.T) {
	f := newFixture(t, nil)
	f.revokeMany(0, 25)
	var got []string
	var last int64
	for {
		page, next, err := f.Feed(t.Context(), last, 10)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		require.LessOrEqual(t, len(page), 10)
		for _, r := range page {
			got = append(got, r.Subject)
		}
		last = next
	}
	require.Len(t, got, 25)
	require.Equal(t, "24", got[24])

	f.exec(`DELETE FROM revocations`)
	page, next, err := f.Feed(t.Context(), last, 10)
	require.NoError(t, err)
	require.Empty(t, page)
	require.Equal(t, last, next, "what was deleted does not turn the follower back")
	f.revokeMany(25, 26)
	page, _, err = f.Feed(t.Context(), last, 10)
	require.NoError(t, err)
	require.Len(t, page, 1)
	page, _, err = f.Feed(t.Context(), last+1000, 10)
	require.NoError(t, err)
	require.Len(t, page, 1, "a number of another database: told from the start")
	_, _, err = f.Feed(ended(t), 0, 10)
	require.Error(t, err)
}

// process is a second service on the same database.
func (f *fixture) process() *Service {
	f.t.Helper()
	s, err := New(Config{DB: f.db, Key: testKey, Now: f.clock.Now})
	require.NoError(f.t, err)
	return s
}

// handler notes what it is given.
type handler struct {
	mu   sync.Mutex
	got  []string
	fail error
}

func (h *handler) handle(r Revocation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return h.fail
	}
	h.got = append(h.got, r.Subject)
	return nil
}

func TestClaimFeedFollows(t *testing.T) {
	f := newFixture(t, nil)
	f.revokeMany(0, 3)
	var h handler
	claim := func() error { return f.ClaimFeed(t.Context(), "kick", h.handle) }
	require.NoError(t, claim())
	require.Empty(t, h.got, "a new name begins at the end")
	f.revokeMany(3, 6)
	require.NoError(t, claim())
	require.Equal(t, []string{"3", "4", "5"}, h.got)
	writes := f.count(`SELECT sum(at) FROM cursors`)
	f.clock.advance(time.Second)
	require.NoError(t, claim())
	require.Len(t, h.got, 3)
	require.Equal(t, writes, f.count(`SELECT sum(at) FROM cursors`), "nothing new, nothing written")

	f.revokeMany(6, 8)
	h.fail = errors.New("the server is down")
	require.ErrorIs(t, claim(), h.fail)
	require.ErrorIs(t, claim(), h.fail, "the place is free again at once")
	h.fail = nil
	require.NoError(t, f.process().ClaimFeed(t.Context(), "kick", h.handle), "any process goes on where it stopped")
	require.Equal(t, []string{"3", "4", "5", "6", "7"}, h.got)

	var other handler
	require.NoError(t, f.ClaimFeed(t.Context(), "other", other.handle))
	f.revokeMany(8, 9)
	require.NoError(t, f.ClaimFeed(t.Context(), "other", other.handle))
	require.NoError(t, claim())
	require.Equal(t, []string{"8"}, other.got, "each name has its own place")
	require.Len(t, h.got, 6)
}

// It stops before the entry that fails, and asks for that one again.
func TestClaimFeedStopsAtTheFirstError(t *testing.T) {
	f := newFixture(t, nil)
	var h handler
	require.NoError(t, f.ClaimFeed(t.Context(), "kick", h.handle))
	f.revokeMany(0, 5)
	bad := errors.New("not this one")
	err := f.ClaimFeed(t.Context(), "kick", func(r Revocation) error {
		if r.Subject == "2" {
			return bad
		}
		return h.handle(r)
	})
	require.ErrorIs(t, err, bad)
	require.Equal(t, []string{"0", "1"}, h.got)
	require.NoError(t, f.ClaimFeed(t.Context(), "kick", h.handle))
	require.Equal(t, []string{"0", "1", "2", "3", "4"}, h.got)

	f.revokeMany(5, 7)
	ctx, cancel := context.WithCancel(t.Context())
	err = f.ClaimFeed(ctx, "kick", func(r Revocation) error {
		cancel()
		return h.handle(r)
	})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, f.ClaimFeed(t.Context(), "kick", h.handle))
	require.Equal(t, "6", h.got[len(h.got)-1])
}

// Several processes follow at once: each entry is handled once and in order.
func TestManyProcessesHandleEachEntryOnce(t *testing.T) {
	f := newFixture(t, nil)
	var h handler
	processes := []*Service{f.process(), f.process(), f.process()}
	require.NoError(t, processes[0].ClaimFeed(t.Context(), "kick", h.handle))
	const entries = 60
	var wg sync.WaitGroup
	done := make(chan struct{})
	for _, s := range processes {
		wg.Go(func() {
			for last := false; ; {
				if err := s.ClaimFeed(t.Context(), "kick", h.handle); err != nil {
					t.Error(err)
					return
				}
				if last {
					return
				}
				select {
				case <-done:
					last = true
				default:
				}
			}
		})
	}
	f.revokeMany(0, entries)
	close(done)
	wg.Wait()
	require.NoError(t, f.ClaimFeed(t.Context(), "kick", h.handle))
	var want []string
	for i := range entries {
		want = append(want, fmt.Sprint(i))
	}
	require.Equal(t, want, h.got)
}

// A process that died in the middle gives its place up after half a minute; one
// that only was slow is told, and stops.
func TestClaimOfADeadProcessEnds(t *testing.T) {
	f := newFixture(t, nil)
	var h handler
	require.NoError(t, f.ClaimFeed(t.Context(), "kick", h.handle))
	f.revokeMany(0, 3)
	other := f.process()
	err := f.ClaimFeed(t.Context(), "kick", func(r Revocation) error {
		require.NoError(t, other.ClaimFeed(t.Context(), "kick", func(Revocation) error {
			t.Error("two at a time")
			return nil
		}))
		if r.Subject != "0" {
			return h.handle(r)
		}
		f.clock.advance(claimFor)
		require.NoError(t, other.ClaimFeed(t.Context(), "kick", h.handle))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1", "2"}, h.got, "all by the other")
}
