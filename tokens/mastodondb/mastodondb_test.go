package mastodondb

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

func TestTheMastodonPasswordOpens(t *testing.T) {
	f := newFixture(t)
	f.add("Alice_1")
	f.exec(`UPDATE users SET encrypted_password = ` + real)
	for _, name := range []string{"alice_1", "Alice_1", "ALICE_1"} {
		assert.Equal(t, ReasonOK, f.reason(name, password), name)
	}
	for _, wrong := range []string{"", "correct horsf", "Correct horse", password + " ", password + "\x00", strings.Repeat("x", 73)} {
		assert.Equal(t, ReasonWrongPassword, f.reason("alice_1", wrong), "%q", wrong)
	}
	for _, name := range []string{"", "bob", "alice_1@example.org", "alice_1 ", "al%", "' OR true --", "älice", "mastodon.internal", strings.Repeat("a", 31)} {
		assert.Equal(t, ReasonUnknownUser, f.reason(name, password), "%q", name)
	}
}

// Ruby's bcrypt looks at 72 bytes, and Mastodon counts 72 characters.
func TestLongPasswordsAreCutAsMastodonCutsThem(t *testing.T) {
	f := newFixture(t)
	f.add("alice")
	long := strings.Repeat("ü", 72)
	f.exec(`UPDATE users SET encrypted_password = crypt('` + long + `', gen_salt('bf', 4))`)
	assert.Equal(t, ReasonOK, f.reason("alice", long))
	assert.Equal(t, ReasonWrongPassword, f.reason("alice", strings.Repeat("ü", 35)))
}

func TestWhoMayNotIsRefused(t *testing.T) {
	f := newFixture(t)
	f.add("alice")
	f.add("other")
	for name, tc := range map[string]struct{ set, reset, reason string }{
		"unconfirmed": {`users SET confirmed_at = NULL`, `users SET confirmed_at = now()`, ReasonUnconfirmed},
		"unapproved":  {`users SET approved = false`, `users SET approved = true`, ReasonUnconfirmed},
		"disabled":    {`users SET disabled = true`, `users SET disabled = false`, ReasonDisabled},
		"memorial":    {`accounts SET memorial = true`, `accounts SET memorial = false`, ReasonDisabled},
		"suspended":   {`accounts SET suspended_at = now()`, `accounts SET suspended_at = NULL`, ReasonSuspended},
		"moved": {`accounts SET moved_to_account_id = (SELECT id FROM accounts WHERE username = 'other')`,
			`accounts SET moved_to_account_id = NULL`, ReasonMoved},
		"remote":        {`accounts SET domain = 'elsewhere.example'`, `accounts SET domain = NULL`, ReasonUnknownUser},
		"odd domain":    {`accounts SET domain = ''`, `accounts SET domain = NULL`, ReasonUnknownUser},
		"by other ways": {`users SET encrypted_password = ''`, `users SET encrypted_password = ` + quick, ReasonNoPassword},
		"one-time code": {`users SET otp_required_for_login = true`, `users SET otp_required_for_login = false`, ReasonSecondFactor},
	} {
		t.Run(name, func(t *testing.T) {
			change := func(set string) {
				where := ` WHERE username = 'alice'`
				if strings.HasPrefix(set, "users") {
					where = ` WHERE email = 'alice@example.org'`
				}
				f.exec(`UPDATE ` + set + where)
			}
			change(tc.set)
			assert.Equal(t, tc.reason, f.reason("alice", password))
			assert.NotEqual(t, ReasonOK, f.reason("alice", "wrong"))
			if tc.reason != ReasonUnknownUser && tc.reason != ReasonNoPassword {
				assert.Equal(t, ReasonWrongPassword, f.reason("alice", "wrong"), "who does not know the password learns no more")
			}
			change(tc.reset)
			assert.Equal(t, ReasonOK, f.reason("alice", password))
		})
	}
	assert.Equal(t, ReasonOK, f.reason("other", password), "it was alice alone")
	f.exec(`INSERT INTO webauthn_credentials (external_id, public_key, nickname, user_id, created_at, updated_at)
		SELECT 'x', 'x', 'key', id, now(), now() FROM users WHERE email = 'alice@example.org'`)
	assert.Equal(t, ReasonSecondFactor, f.reason("alice", password))
	assert.Equal(t, ReasonOK, f.reason("other", password))
	f.exec(`DELETE FROM users WHERE email = 'other@example.org'`)
	assert.Equal(t, ReasonUnknownUser, f.reason("other", password), "what is left of a deleted account")
}

// The columns of later versions are heeded from the moment they are there; until
// the role may read them, nothing can be told.
func TestUpgradesOfMastodonAreNoticed(t *testing.T) {
	f := newFixture(t)
	f.add("alice")
	require.Equal(t, ReasonOK, f.reason("alice", password))

	f.exec(`ALTER TABLE user_roles ADD COLUMN require_2fa boolean NOT NULL DEFAULT false`) // 4.6
	ok, _, err := f.Check(t.Context(), "alice", password)
	require.ErrorContains(t, err, "permission denied for table user_roles")
	require.False(t, ok)
	f.exec(RoleSQL(f.role))
	require.Equal(t, ReasonOK, f.reason("alice", password))
	f.exec(`UPDATE user_roles SET require_2fa = true WHERE id = 1`)
	require.Equal(t, ReasonOK, f.reason("alice", password))
	f.exec(`UPDATE users SET role_id = 1`)
	require.Equal(t, ReasonSecondFactor, f.reason("alice", password))
	f.exec(`UPDATE users SET role_id = NULL; UPDATE user_roles SET require_2fa = (id = -99)`)
	require.Equal(t, ReasonSecondFactor, f.reason("alice", password), "demanded of everybody")
	f.exec(`UPDATE user_roles SET require_2fa = false`)

	f.exec(`ALTER TABLE accounts ADD COLUMN requested_deletion_at timestamp`) // 4.7
	_, _, err = f.Check(t.Context(), "alice", password)
	require.ErrorContains(t, err, "permission denied")
	f.exec(RoleSQL(f.role))
	require.Equal(t, ReasonOK, f.reason("alice", password))
	f.exec(`UPDATE accounts SET requested_deletion_at = now() WHERE username = 'alice'`)
	require.Equal(t, ReasonDeleted, f.reason("alice", password))

	f.exec(`ALTER TABLE users DROP COLUMN otp_required_for_login`) // what we do not understand
	_, _, err = f.Check(t.Context(), "alice", password)
	require.ErrorContains(t, err, "otp_required_for_login")
}

// Whoever is asked about costs one comparison, of the cost that passwords have
// here.
func TestNobodyCostsAsMuchAsSomebody(t *testing.T) {
	f := newFixture(t)
	f.check("nobody", password)
	assert.Equal(t, []int{10}, f.costs, "Mastodon's cost, before there is a password")
	f.add("alice")
	f.exec(`UPDATE users SET encrypted_password = crypt('` + password + `', gen_salt('bf', 7))`)
	f.costs = nil
	for _, name := range []string{"alice", "nobody"} {
		f.check(name, password)
		f.check(name, "wrong")
	}
	f.exec(`UPDATE users SET disabled = true`)
	f.check("alice", password)
	f.add("sso")
	f.exec(`UPDATE users SET encrypted_password = '' WHERE email = 'sso@example.org'`)
	f.check("sso", password)
	assert.Equal(t, []int{7, 7, 7, 7, 7, 7}, f.costs)
	for _, cost := range []int{4, 10} {
		assert.ErrorIs(t, bcrypt.CompareHashAndPassword([]byte(nobodysHash(cost)), []byte(password)), bcrypt.ErrMismatchedHashAndPassword)
	}
}

func TestUnknownKindsOfHashesCannotBeTold(t *testing.T) {
	f := newFixture(t)
	f.add("alice")
	for _, hash := range []string{"plain text", "$argon2id$v=19$m=65536,t=3,p=2$c2FsdA$aGFzaA", "$2a$31$" + strings.Repeat("a", 53), "$2a$10$short"} {
		f.exec(`UPDATE users SET encrypted_password = ` + literal(hash))
		ok, _, err := f.Check(t.Context(), "alice", password)
		assert.Error(t, err, hash)
		assert.False(t, ok)
		assert.NotContains(t, err.Error(), hash)
	}
}

func TestTrunklinesRefusalCounts(t *testing.T) {
	f := newFixture(t)
	f.add("Alice")
	var asked []string
	var refused bool
	var trouble error
	f.refused = func(_ context.Context, name, id string) (bool, error) {
		asked = []string{name, id}
		return refused, trouble
	}
	assert.Equal(t, ReasonOK, f.reason("ALICE", password))
	assert.Equal(t, []string{"alice", f.id("Alice")}, asked)
	refused = true
	assert.Equal(t, ReasonRefused, f.reason("alice", password))
	assert.Equal(t, ReasonWrongPassword, f.reason("alice", "wrong"))
	trouble = errors.New("our database is away")
	ok, _, err := f.Check(t.Context(), "alice", password)
	assert.ErrorIs(t, err, trouble)
	assert.False(t, ok)
}

// An account was deleted and somebody else took its name: it is told by the id.
func TestANameThatCameBackIsAnotherAccount(t *testing.T) {
	f := newFixture(t)
	f.add("alice")
	owner := f.id("alice")
	f.refused = func(_ context.Context, _, id string) (bool, error) { return id != owner, nil }
	require.Equal(t, ReasonOK, f.reason("alice", password))
	f.exec(`DELETE FROM users; DELETE FROM accounts WHERE username = 'alice'`)
	f.add("alice")
	require.NotEqual(t, owner, f.id("alice"))
	require.Equal(t, ReasonRefused, f.reason("alice", password))
}

// Two compare; who comes besides waits, and gives up when it may not any more.
func TestComparisonsAreBounded(t *testing.T) {
	f := newFixture(t)
	f.add("alice")
	busy, release := make(chan struct{}), make(chan struct{})
	f.compare = func(hash, password []byte) error {
		busy <- struct{}{}
		<-release
		return bcrypt.CompareHashAndPassword(hash, password)
	}
	var wg sync.WaitGroup
	for range atOnce + 1 {
		wg.Go(func() {
			ok, _, err := f.Check(context.WithoutCancel(t.Context()), "alice", password)
			if err != nil || !ok {
				t.Error(ok, err)
			}
		})
	}
	for range atOnce {
		<-busy
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := f.Check(ctx, "alice", password)
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	<-busy // the third one has its turn
	wg.Wait()
}

func TestMastodonsDatabaseIsAway(t *testing.T) {
	c, err := New(Config{URL: "postgres://reader:hunter2zwei@127.0.0.1:1/mastodon?sslmode=disable"})
	require.NoError(t, err, "Trunkline starts without it")
	defer c.Close()
	ok, _, err := c.Check(t.Context(), "alice", password)
	require.ErrorContains(t, err, "mastodondb: asking Mastodon's database")
	require.False(t, ok)
	require.NotContains(t, err.Error(), "hunter2")
	for _, rawURL := range []string{"", "sqlite:/x", "postgres://reader:hunter2zwei#@h/x"} {
		_, err := New(Config{URL: rawURL})
		require.ErrorContains(t, err, "mastodondb: ", rawURL)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
