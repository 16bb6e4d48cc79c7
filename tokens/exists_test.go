package tokens

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

// directory is Mastodon's list of people.
type directory struct {
	people map[string]bool
	err    error
	asked  []string
}

func (d *directory) lookup(_ context.Context, username string) (bool, error) {
	d.asked = append(d.asked, username)
	return d.people[username], d.err
}

func withDirectory(t *testing.T) (*fixture, *directory) {
	d := &directory{people: map[string]bool{"carol": true}}
	return newFixture(t, func(c *Config) { c.LookupName = d.lookup }), d
}

func (f *fixture) exists(username string) string {
	f.t.Helper()
	exists, err := f.Exists(f.t.Context(), username)
	switch {
	case err != nil:
		require.ErrorIs(f.t, err, ErrCannotTell)
		require.False(f.t, exists)
		return "cannot tell"
	case exists:
		return "yes"
	}
	return "no"
}

func TestExistsAsksMastodonAboutStrangers(t *testing.T) {
	f, d := withDirectory(t)
	require.Equal(t, "yes", f.exists("Alice"))
	require.Empty(t, d.asked, "who logged in is known")
	require.Equal(t, "yes", f.exists("Carol"))
	require.Equal(t, "no", f.exists("dave"))
	require.Equal(t, []string{"carol", "dave"}, d.asked)
	for _, never := range []string{
		"", "carol@other.example", "carol/x", "a b", "a\x00", "é", strings.Repeat("a", 65), "../carol", "%63arol", "carol?x=1",
	} {
		require.Equal(t, "no", f.exists(never), "%q", never)
	}
	require.Len(t, d.asked, 2, "what is no name is not asked about")
}

func TestAnswersAreKept(t *testing.T) {
	f, d := withDirectory(t)
	require.Equal(t, "yes", f.exists("carol"))
	require.Equal(t, "no", f.exists("dave"))
	f.clock.advance(5*time.Minute - 1)
	f.exists("carol")
	f.exists("dave")
	require.Len(t, d.asked, 2)
	d.people["dave"] = true
	f.clock.advance(1)
	require.Equal(t, "yes", f.exists("dave"), "a no is kept 5 minutes")
	require.Len(t, d.asked, 3)
	d.people["carol"] = false
	f.clock.advance(55*time.Minute - 1)
	require.Equal(t, "yes", f.exists("carol"))
	f.clock.advance(1)
	require.Equal(t, "no", f.exists("carol"), "a yes is kept an hour")
	require.Len(t, d.asked, 4)
}

func TestExistsWhileMastodonIsAway(t *testing.T) {
	f, d := withDirectory(t)
	require.Equal(t, "yes", f.exists("carol"))
	require.Equal(t, "no", f.exists("dave"))
	d.err = errors.New("away")
	require.Equal(t, "cannot tell", f.exists("erin"))
	require.Equal(t, "yes", f.exists("alice"), "our own table needs nobody")
	f.clock.advance(24*time.Hour - 1)
	require.Equal(t, "yes", f.exists("carol"), "the last known answer")
	require.Equal(t, "no", f.exists("dave"))
	asked := len(d.asked)
	require.Equal(t, "yes", f.exists("carol"))
	require.Len(t, d.asked, asked, "it is not asked at every turn")
	f.clock.advance(1)
	require.Equal(t, "cannot tell", f.exists("carol"), "a day is too old")
	require.Equal(t, "cannot tell", f.exists("dave"))
	d.err = nil
	f.clock.advance(10 * time.Second)
	require.Equal(t, "yes", f.exists("carol"))
	require.Equal(t, "no", f.exists("erin"))
}

// Somebody who asks for many names wears nobody else's welcome out.
func TestLookupsAreLimited(t *testing.T) {
	f, d := withDirectory(t)
	require.Equal(t, "yes", f.exists("carol"))
	for i := range 100 {
		f.exists(fmt.Sprint("name", i))
	}
	require.Len(t, d.asked, lookupBurst)
	require.Equal(t, "cannot tell", f.exists("name99"))
	require.Equal(t, "yes", f.exists("carol"))
	f.clock.advance(lookupEvery)
	require.Equal(t, "no", f.exists("name99"))
}

func TestKnownNamesAreBounded(t *testing.T) {
	d := &directory{}
	k := newKnown(d.lookup, nil)
	k.limit = rate.NewLimiter(rate.Inf, 1)
	now := time.Unix(1e9, 0)
	for i := range maxKnown + 10 {
		_, err := k.exists(t.Context(), fmt.Sprint(i), now)
		require.NoError(t, err)
	}
	require.Len(t, k.answers, maxKnown)
	_, err := k.exists(t.Context(), "a day later", now.Add(25*time.Hour))
	require.NoError(t, err)
	require.Len(t, k.answers, 1)
	require.Empty(t, k.asking)
}

func TestManyAskForOneNameOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := make(chan string, 100), make(chan struct{})
		k := newKnown(func(_ context.Context, name string) (bool, error) {
			asked <- name
			<-answer
			return true, nil
		}, nil)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				exists, err := k.exists(t.Context(), "carol", time.Now())
				if err != nil || !exists {
					t.Error(exists, err)
				}
			})
		}
		impatient, cancel := context.WithCancel(t.Context())
		synctest.Wait()
		wg.Go(func() {
			if _, err := k.exists(impatient, "carol", time.Now()); !errors.Is(err, ErrCannotTell) {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(answer)
		wg.Wait()
		require.Len(t, asked, 1)
	})
}
