package tokens

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLifeOfACredential(t *testing.T) {
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		at   []time.Duration // verified at these times after the issue
		want []bool
	}{
		"at once":                       {[]time.Duration{0}, []bool{true}},
		"just before 2 minutes":         {[]time.Duration{2*time.Minute - ms}, []bool{true}},
		"at 2 minutes":                  {[]time.Duration{2 * time.Minute}, []bool{false}},
		"long after":                    {[]time.Duration{time.Hour}, []bool{false}},
		"twice within 10 s":             {[]time.Duration{0, 10*time.Second - ms}, []bool{true, true}},
		"again 10 s after the first":    {[]time.Duration{0, 10 * time.Second}, []bool{true, false}},
		"a retry does not prolong":      {[]time.Duration{0, 9 * time.Second, 11 * time.Second}, []bool{true, true, false}},
		"used late, retried past 2 min": {[]time.Duration{119 * time.Second, 128 * time.Second, 129 * time.Second}, []bool{true, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			secret, internal := f.issue(), f.issueInternal()
			issued := f.clock.Now()
			for i, at := range tc.at {
				f.clock.advance(issued.Add(at).Sub(f.clock.Now()))
				require.Equal(t, tc.want[i], f.verify("alice", secret), "temporary at %s", at)
				require.Equal(t, tc.want[i], f.verify("alice", internal), "internal at %s", at)
				_, _, _, found := f.lookup("alice", secret)
				require.Equal(t, tc.want[i], found, "lookup at %s", at)
			}
		})
	}
}

func (f *fixture) issueInternal() string {
	f.t.Helper()
	username, secret, err := f.IssueInternal(f.t.Context(), "1")
	require.NoError(f.t, err)
	require.Equal(f.t, "alice", username)
	return secret
}

func TestClockThatStepsBackGivesNoSecondLife(t *testing.T) {
	f := newFixture(t, nil)
	secret := f.issue()
	require.True(t, f.verify("alice", secret))
	f.clock.advance(11 * time.Second)
	require.False(t, f.verify("alice", secret))
	require.NoError(t, f.tidy(t.Context()))
	f.clock.advance(2 * time.Minute)
	require.NoError(t, f.tidy(t.Context()))
	f.clock.advance(-time.Hour)
	require.False(t, f.verify("alice", secret), "the row is gone")
}

func TestWhatIsNoPassword(t *testing.T) {
	f := newFixture(t, nil)
	secret := f.issue()
	for name, s := range map[string]string{
		"empty":                    "",
		"prefix alone":             "tlt_",
		"another prefix":           "tli_" + secret[4:],
		"unknown prefix":           "tlx_" + secret[4:],
		"upper case":               strings.ToUpper(secret),
		"a character short":        secret[:len(secret)-1],
		"a character more":         secret + "a",
		"space in front":           " " + secret,
		"line end":                 secret + "\n",
		"line end inside":          secret[:10] + "\n" + secret[10:len(secret)-1],
		"NUL":                      secret + "\x00",
		"control characters":       "tlt_" + strings.Repeat("\x01", 32),
		"1001 bytes":               "tlt_" + strings.Repeat("a", 997),
		"a megabyte":               strings.Repeat(secret, 30000),
		"not UTF-8":                "tlt_" + strings.Repeat("\xff", 32),
		"never issued":             "tlt_" + strings.Repeat("a", 32),
		"the hash":                 string(f.hash(secret)),
		"an SQL idea":              "tlt_' OR 1=1 --",
		"one character is another": flip(secret),
	} {
		require.False(t, f.verify("alice", s), name)
		_, _, _, ok := f.lookup("alice", s)
		require.False(t, ok, name)
	}
	for _, username := range []string{
		"bob", "nobody", "", "alice\x00", "alice ", "alice@social.example", strings.Repeat("a", 2000), "%", "ali_e", "1",
	} {
		require.False(t, f.verify(username, secret), "%q", username)
	}
	require.True(t, f.verify("ALICE", secret), "none of these was a use, and case is no difference")
}

func flip(s string) string {
	b := []byte(s)
	if b[len(b)-1] == 'a' {
		b[len(b)-1] = 'b'
	} else {
		b[len(b)-1] = 'a'
	}
	return string(b)
}

func TestLookupTellsWhoseItIsAndIsNoUse(t *testing.T) {
	f := newFixture(t, nil)
	secret := f.issue()
	account, session, credential, ok := f.lookup("alice", secret)
	require.True(t, ok)
	require.Equal(t, "1", account)
	require.Equal(t, "s", session)
	require.Equal(t, 1, f.count(`SELECT count(*) FROM credentials WHERE id = $1`, credential))
	f.clock.advance(time.Minute)
	require.True(t, f.verify("alice", secret), "a minute later it is still unused")

	account, session, _, ok = f.lookup("alice", f.issueInternal())
	require.True(t, ok)
	require.Equal(t, "1", account)
	require.Empty(t, session)
}

func TestManyVerifyAtOnce(t *testing.T) {
	f := newFixture(t, nil)
	secret := f.issue()
	var wg sync.WaitGroup
	var accepted atomic.Int32
	for range 32 {
		wg.Go(func() {
			if ok, err := f.Verify(t.Context(), "alice", secret); err == nil && ok {
				accepted.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 32, accepted.Load(), "all within 10 s of the first")
	require.Equal(t, 1, strings.Count(f.log.String(), "credential used"), "one of them was the first")
}

func TestSuspendedPersonIsRefused(t *testing.T) {
	f := newFixture(t, nil)
	secret, internal := f.issue(), f.issueInternal()
	f.exec(`UPDATE accounts SET suspended_at = 1 WHERE id = '1'`)
	require.False(t, f.verify("alice", secret))
	require.True(t, f.verify("alice", internal), "our own stream must be able to end theirs")
	exists, err := f.Exists(t.Context(), "alice")
	require.NoError(t, err)
	require.True(t, exists)
	_, _, err = f.IssueTemporary(t.Context(), "1", "s")
	require.ErrorIs(t, err, ErrSuspended)
}

func TestExists(t *testing.T) {
	f := newFixture(t, nil)
	for name, want := range map[string]bool{
		"alice": true, "Alice": true, "bob": true, "carol": false, "": false, "a\x00": false, "1": false,
		strings.Repeat("x", 5000): false,
	} {
		got, err := f.Exists(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", name)
	}
}

// "I cannot tell" is an error and never a plain no, and it costs no credential.
func TestTroubleIsAnErrorAndNotANo(t *testing.T) {
	f := newFixture(t, nil)
	secret := f.issue()
	_, err := f.Verify(ended(t), "alice", secret)
	require.Error(t, err)
	_, _, _, _, err = f.Lookup(ended(t), "alice", secret)
	require.Error(t, err)
	_, err = f.Exists(ended(t), "alice")
	require.Error(t, err)
	require.NotContains(t, err.Error(), secret)
	require.True(t, f.verify("alice", secret))
}

func TestAnotherKeyKnowsNothing(t *testing.T) {
	f := newFixture(t, nil)
	secret := f.issue()
	other, err := New(Config{DB: f.db, Key: bytes.Repeat([]byte{9}, 32), Now: f.clock.Now})
	require.NoError(t, err)
	ok, err := other.Verify(t.Context(), "alice", secret)
	require.NoError(t, err)
	require.False(t, ok)
	same, err := New(Config{DB: f.db, Key: testKey, Now: f.clock.Now})
	require.NoError(t, err)
	ok, err = same.Verify(t.Context(), "alice", secret)
	require.NoError(t, err)
	require.True(t, ok, "another process with the same key and database")
}
