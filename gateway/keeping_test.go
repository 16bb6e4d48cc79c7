package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// ledger is a store that notes when it was asked to save, and keeps one state.
type ledger struct {
	mu    sync.Mutex
	began time.Time
	at    []time.Duration
	last  []byte
	fail  bool
}

func (l *ledger) SaveResumption(_ context.Context, _ []byte, _ string, state []byte, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail {
		return errors.New("the disk is full")
	}
	l.at, l.last = append(l.at, time.Since(l.began).Truncate(time.Millisecond)), state
	return nil
}

func (l *ledger) LoadResumption(context.Context, []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, nil
}
func (*ledger) DeleteResumption(context.Context, []byte) error { return nil }
func (*ledger) EachResumption(context.Context, func(string, []byte, time.Time) error) error {
	return nil
}

func (l *ledger) times() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Duration(nil), l.at...)
}

// kept is a stream that can be resumed and whose saves go to a ledger. change
// changes its state.
func kept(t *testing.T) (s *stream, l *ledger, change func(urgent bool)) {
	t.Helper()
	l = &ledger{began: time.Now()}
	g, err := New(Config{Domain: "social.example", Credentials: nobody{}, Consents: nobody{}, Resumptions: l})
	require.NoError(t, err)
	s = &stream{g: g, policy: numbered(t, 0), sm: management{previd: "x", max: time.Minute}}
	s.ctx = lifetime{&s.over}
	g.streams.own("x", s)
	n := 0
	return s, l, func(urgent bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		n++
		s.policy = numbered(t, n)
		s.markStale(urgent)
	}
}

// numbered is the policy of a stream that has given out n ids.
func numbered(t *testing.T, n int) *policy.Stream {
	t.Helper()
	c := policy.Config{
		Identity: policy.Identity{Bare: "social.example", Domain: "social.example"},
		Consent:  policy.Consent{Presence: true}, Rand: rand.Reader,
	}
	p, err := policy.New(c)
	require.NoError(t, err)
	b, err := p.Snapshot()
	require.NoError(t, err)
	b = bytes.Replace(b, []byte(`"sequence":0`), fmt.Appendf(nil, `"sequence":%d`, n), 1)
	p, err = policy.Restore(c, b)
	require.NoError(t, err)
	return p
}

// after lets d pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// TestWhatNobodySeesIsSavedOnceASecond: however fast it changes, and the last
// change too.
func TestWhatNobodySeesIsSavedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l, change := kept(t)
		for range 102 {
			change(false)
			after(50 * time.Millisecond)
		}
		after(10 * time.Second)
		var want []time.Duration
		for i := range 7 { // at once, once a second for five, and what was left over
			want = append(want, time.Duration(i)*time.Second)
		}
		require.Equal(t, want, l.times())
		snapshot, err := s.policy.Snapshot()
		require.NoError(t, err)
		state := saved{}
		require.NoError(t, json.Unmarshal(l.last, &state))
		require.JSONEq(t, string(snapshot), string(state.Policy))
		s.wg.Wait() // nobody waits where there is nothing to save
	})
}

// TestWhatIsSeenIsSavedAtOnce, also while something else waits for its second; but
// not without end.
func TestWhatIsSeenIsSavedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l, change := kept(t)
		change(false)
		after(100 * time.Millisecond)
		change(false)
		after(100 * time.Millisecond)
		require.Equal(t, []time.Duration{0}, l.times())
		change(true)
		synctest.Wait()
		require.Equal(t, []time.Duration{0, 200 * time.Millisecond}, l.times())
		for range 1000 {
			after(10 * time.Millisecond)
			change(true)
		}
		after(10 * time.Second)
		require.Greater(t, len(l.times()), savesAtOnce)
		require.LessOrEqual(t, len(l.times()), savesAtOnce+13)
	})
}

// TestWhatWaitsIsSavedAtTheEnd: the end of a stream does not wait for a second to
// be over, and loses nothing.
func TestWhatWaitsIsSavedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l, change := kept(t)
		change(false)
		after(100 * time.Millisecond)
		change(false)
		s.over.set()
		s.wg.Wait()
		require.Equal(t, []time.Duration{0}, l.times())
		s.settle(endGone)
		require.Equal(t, []time.Duration{0, 100 * time.Millisecond}, l.times())
	})
}

// TestASessionThatLivesElsewhereIsLeftAlone: a stream that lost its server saves what
// is left to save only where nobody else has taken the session over.
func TestASessionThatLivesElsewhereIsLeftAlone(t *testing.T) {
	for node, saves := range map[string]int{"": 2, "another": 1} {
		synctest.Test(t, func(t *testing.T) {
			s, l, change := kept(t)
			change(false)
			after(100 * time.Millisecond)
			change(false)
			s.over.set()
			s.wg.Wait()
			if node != "" {
				state := saved{}
				require.NoError(t, json.Unmarshal(l.last, &state))
				state.Node = node
				var err error
				l.last, err = json.Marshal(state)
				require.NoError(t, err)
			}
			s.settle(endLost)
			require.Len(t, l.times(), saves)
		})
	}
}

// TestAfterAFailedSaveNothingCountsAsSaved: it may have been written all the same,
// so that the state before it is saved anew.
func TestAfterAFailedSaveNothingCountsAsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l, change := kept(t)
		require.NoError(t, s.save(false))
		l.fail = true
		change(true)
		synctest.Wait()
		l.fail = false
		s.policy = numbered(t, 0) // as it was
		require.NoError(t, s.save(false))
		require.Len(t, l.times(), 2)
	})
}
