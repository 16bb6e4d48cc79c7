package backend

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What was right before is no way to guess faster: whoever has asked a thousand
// times what is right and what is throttled, is told nothing more.
func TestWhatIsRecalledCannotBeGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		require.Equal(t, Yes, f.try("alice", "hunter2", "").Answer)
		for i := range 2000 {
			require.NotEqual(t, Yes, f.try("alice", fmt.Sprint("guess ", i), "").Answer)
		}
		require.Equal(t, ReasonThrottled, f.try("alice", "hunter2", "").Reason, "the two thousand and first guess")
		<-time.After(30 * time.Second)
		require.Equal(t, Yes, f.try("alice", "hunter2", "").Answer, "as soon as the attack pauses")
	})
}

// With patience it is no more than twice the guesses that there are without it.
func TestPatienceWithWhatIsRecalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		require.Equal(t, Yes, f.try("alice", "hunter2", "").Answer)
		const day = 24 * time.Hour
		looked := 0
		for began, i := time.Now(), 0; time.Since(began) < day; i++ {
			own := f.guard.owners.find("alice")
			before := own.last
			f.try("alice", fmt.Sprint("guess ", i), "")
			if own.last.After(before) {
				looked++
			}
			<-time.After(5 * time.Second)
		}
		require.LessOrEqual(t, looked, 1000+int(day/(30*time.Second))+20)
		require.InDelta(t, day/(30*time.Second), f.site.count(), 25)
	})
}

// A password that was changed is forgotten at the first try with it, and two
// weeks after the last success so is every other; the latest few are kept.
func TestWhatIsRecalledEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(time.Now)
		admitted := func(secret string) bool {
			try, _ := g.admit("alice", "", secret)
			if try != nil {
				try.end(Unknown)
			}
			return try != nil
		}
		right := func(secret string) {
			try, wait := g.admit("alice", "", secret)
			require.Zero(t, wait)
			try.end(Yes)
		}
		attack := func() {
			for i := range 20 {
				if try, _ := g.admit("alice", "", fmt.Sprint("guess ", time.Now(), i)); try != nil {
					try.end(No)
				}
			}
		}
		for i := range 5 {
			right(fmt.Sprint("right ", i))
		}
		attack()
		require.False(t, admitted("right 0"), "of five the oldest is forgotten")
		for i := 1; i < 5; i++ {
			require.True(t, admitted(fmt.Sprint("right ", i)))
		}
		changed, _ := g.admit("alice", "", "right 1")
		changed.end(No)
		require.False(t, admitted("right 1"))
		require.True(t, admitted("right 2"))

		<-time.After(trust)
		attack()
		require.False(t, admitted("right 2"))
	})
}

// Whoever is recalled does not stand behind strangers.
func TestWhoIsRecalledHasRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		require.Equal(t, Yes, f.try("alice", "hunter2", "").Answer)
		f.site.enter = make(chan struct{})
		done := make(chan Result, 100)
		for i := range 100 {
			go func() { done <- f.try(fmt.Sprint("person", i), "123456", "") }()
		}
		synctest.Wait()
		go func() { done <- f.try("alice", "hunter2", "") }()
		synctest.Wait()
		require.Equal(t, 1+2+1, f.site.count(), "two strangers at once, and alice")
		close(f.site.enter)
		for range 101 {
			<-done
		}
	})
}

// Questions that wait for Mastodon take no room from those that do not.
func TestDevicesThatWaitHoldUpNoBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mastodon := make(chan struct{})
		core, err := NewCore(CoreConfig{Verifier: slow{mastodon}, Domain: "social.example"})
		require.NoError(t, err)
		ask := func(secret string) Answer {
			return core.Auth(t.Context(), Question{Front: "prosody", User: "alice", Secret: secret}).Answer
		}
		done := make(chan Answer, 4*maxAsking)
		for range 2 * maxAsking {
			go func() { done <- ask(device) }()
			go func() { done <- core.Exists(t.Context(), Question{Front: "prosody", User: "bob"}) }()
		}
		synctest.Wait()
		began := time.Now()
		for _, secret := range []string{"tlt_x", "tli_x", "eyJhbGciOiJIUzI1NiJ9.e30.AA"} {
			require.Equal(t, Yes, ask(secret), secret)
		}
		require.Equal(t, Yes, core.Welcome(t.Context(), Question{Front: "prosody", User: "alice"}).Answer)
		require.Zero(t, time.Since(began))
		close(mastodon)
		for range cap(done) {
			<-done
		}
	})
}

// slow is a Verifier that asks Mastodon about devices and about existence.
type slow struct{ mastodon chan struct{} }

func (s slow) Check(_ context.Context, _, _, secret, _, _ string) (
	ok bool, reason, account, session, credential string, err error) {
	if secret == device {
		<-s.mastodon
	}
	return true, "ok", "", "", "", nil
}

func (s slow) Exists(context.Context, string) (bool, error) {
	<-s.mastodon
	return true, nil
}

func (s slow) Welcome(context.Context, string) (bool, error) { return true, nil }
