package tokens

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSecretsAreLongRecognisableAndDifferent(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.SessionLimit = Limit{Burst: 1000, Every: time.Second}
		c.AccountLimit = c.SessionLimit
	})
	seen := map[string]bool{}
	for range 100 {
		secret := f.issue()
		require.Regexp(t, `^tlt_[a-z2-7]{32}$`, secret)
		require.False(t, seen[secret])
		seen[secret] = true
	}
	require.Regexp(t, `^tli_[a-z2-7]{32}$`, f.issueInternal())
}

// The secret is nowhere: not in any column, not in the log.
func TestSecretIsKeptNowhere(t *testing.T) {
	f := newFixture(t, nil)
	secret := f.issue()
	require.True(t, f.verify("alice", secret))
	require.False(t, f.verify("bob", secret))
	require.NoError(t, f.RevokeSession(t.Context(), "s", "signed out"))
	require.NotContains(t, f.log.String(), secret[4:])

	var dump bytes.Buffer
	rows, err := f.db.QueryContext(t.Context(), `SELECT * FROM credentials`)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(sql.RawBytes)
		}
		require.NoError(t, rows.Scan(values...))
		for _, v := range values {
			fmt.Fprintf(&dump, "%s|", *v.(*sql.RawBytes))
		}
	}
	require.NoError(t, rows.Err())
	require.Contains(t, dump.String(), "temporary")
	require.NotContains(t, dump.String(), secret[4:])
}

func TestOnlyKnownPeopleGetACredential(t *testing.T) {
	f := newFixture(t, nil)
	_, _, err := f.IssueTemporary(t.Context(), "404", "s")
	require.ErrorIs(t, err, ErrUnknownAccount)
	_, _, err = f.IssueInternal(t.Context(), "404")
	require.ErrorIs(t, err, ErrUnknownAccount)
	require.Zero(t, f.count(`SELECT count(*) FROM credentials`))
}

func TestWithoutRandomnessThereIsNoCredential(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Rand = iotest.ErrReader(errors.New("dry")) })
	_, _, err := f.IssueTemporary(t.Context(), "1", "s")
	require.ErrorContains(t, err, "dry")
	short := newFixture(t, func(c *Config) { c.Rand = strings.NewReader("too short") })
	_, _, err = short.IssueInternal(t.Context(), "1")
	require.ErrorContains(t, err, "no randomness")
}

func TestNewRefusesAUselessConfig(t *testing.T) {
	f := newFixture(t, nil)
	for want, c := range map[string]Config{
		"no database":     {Key: testKey},
		"at least 32":     {DB: f.db, Key: testKey[:31]},
		"lets nothing":    {DB: f.db, Key: testKey, SessionLimit: Limit{Burst: 0, Every: time.Second}},
		"nothing through": {DB: f.db, Key: testKey, AccountLimit: Limit{Burst: 1}},
	} {
		_, err := New(c)
		require.ErrorContains(t, err, want)
	}
}

func TestSessionLimit(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.SessionLimit = Limit{Burst: 2, Every: 3 * time.Second} })
	f.issue()
	f.issue()
	for range 3 { // refusals cost nothing
		_, _, err := f.IssueTemporary(t.Context(), "1", "s")
		require.Equal(t, 3*time.Second, retryAfter(t, err))
	}
	_, _, err := f.IssueTemporary(t.Context(), "1", "another session")
	require.NoError(t, err)
	f.clock.advance(2500 * time.Millisecond)
	_, _, err = f.IssueTemporary(t.Context(), "1", "s")
	require.Equal(t, time.Second, retryAfter(t, err), "rounded up")
	f.clock.advance(500 * time.Millisecond)
	f.issue()
	f.clock.advance(time.Hour)
	f.issue()
	f.issue()
	_, _, err = f.IssueTemporary(t.Context(), "1", "s")
	require.Error(t, err, "an idle bucket holds no more than its burst")
	f.issueInternal()
}

func TestAccountLimit(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.AccountLimit = Limit{Burst: 3, Every: time.Second}
		c.SessionLimit = Limit{Burst: 2, Every: time.Hour}
	})
	for i := range 3 {
		_, _, err := f.IssueTemporary(t.Context(), "1", fmt.Sprint("session ", i))
		require.NoError(t, err)
	}
	for range 3 {
		_, _, err := f.IssueTemporary(t.Context(), "1", "fresh")
		require.Equal(t, time.Second, retryAfter(t, err))
	}
	_, _, err := f.IssueTemporary(t.Context(), "2", "bob's")
	require.NoError(t, err)
	f.clock.advance(time.Minute)
	for range 2 {
		_, _, err = f.IssueTemporary(t.Context(), "1", "fresh")
		require.NoError(t, err, "the account's refusals did not count against the session")
	}
}

func retryAfter(t *testing.T, err error) time.Duration {
	t.Helper()
	var limited interface{ RetryAfter() time.Duration }
	require.ErrorAs(t, err, &limited)
	return limited.RetryAfter()
}

func TestLimitersMemoryIsBounded(t *testing.T) {
	l, err := newLimiter(Limit{Burst: 2, Every: time.Second}, Limit{})
	require.NoError(t, err)
	now := time.Unix(1000, 0)
	for i := range maxBuckets {
		_, wait := l.take(fmt.Sprint(i), now)
		require.Zero(t, wait)
	}
	_, wait := l.take("one too many", now)
	require.Positive(t, wait)
	require.Len(t, l.buckets, maxBuckets)
	_, wait = l.take("5", now)
	require.Zero(t, wait, "who is counted already is not locked out")

	now = now.Add(3 * time.Second)
	_, wait = l.take("later", now)
	require.Zero(t, wait)
	require.Len(t, l.buckets, 1, "full buckets are forgotten")
}

// A secret that parses is short and printable, and is spelt as we spell it; a
// device's alone has other spellings, which all mean the same one.
func FuzzParseSecret(f *testing.F) {
	for _, s := range []string{
		"", "tlt_", "tlt_" + strings.Repeat("a", 32), "tli_" + strings.Repeat("7", 32), "TLT_" + strings.Repeat("A", 32),
		"tlt_" + strings.Repeat("a", 31) + "\n", "tlt_" + strings.Repeat("1", 32), strings.Repeat("tlt_", 300),
		"tld-" + strings.Repeat("abcd-", 5) + "abcd", "TLD " + strings.Repeat("ABCD ", 6), "tld" + strings.Repeat("a", 24),
		"tld\u2013" + strings.Repeat("aaaa\u00a0", 6), "-t-l-d-" + strings.Repeat("2", 24), "eyJ.a.b", "eyJh..b", "eyJ.a.b.c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		purpose, spelt, err := parseSecret(s)
		if err != nil {
			require.Empty(t, purpose+spelt)
			return
		}
		require.LessOrEqual(t, len(spelt), MaxSecretBytes)
		require.Regexp(t, `^[!-~]+$`, spelt)
		again, same, err := parseSecret(spelt)
		require.NoError(t, err)
		require.Equal(t, [2]string{purpose, spelt}, [2]string{again, same})
		want := ""
		switch purpose {
		case purposeTemporary, purposeInternal:
			require.Equal(t, s, spelt)
			if strings.HasPrefix(s, prefixJWT) {
				return
			}
			raw, err := base32Lower.DecodeString(s[4:])
			require.NoError(t, err)
			want, err = draw(bytes.NewReader(raw), s[:4], secretBytes)
			require.NoError(t, err)
		case purposeDevice:
			raw, err := base32Lower.DecodeString(strings.ReplaceAll(spelt, "-", "")[3:])
			require.NoError(t, err)
			want, err = newDeviceSecret(bytes.NewReader(raw))
			require.NoError(t, err)
		}
		require.Equal(t, want, spelt)
	})
}
