package mastodondb

import (
	"database/sql"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	password = "correct horse"
	// quick is a bcrypt hash of password by another implementation, PostgreSQL's
	// pgcrypto; real is one of the cost that Devise uses.
	quick = `crypt('` + password + `', gen_salt('bf', 4))`
	real  = `crypt('` + password + `', gen_salt('bf', 10))`
)

// fixture is Mastodon's database, and a Checker with the role that RoleSQL made.
type fixture struct {
	*Checker
	t     *testing.T
	admin *sql.DB // as a superuser
	role  string
	url   string // with the role

	mu    sync.Mutex
	costs []int // of the comparisons made
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, url: sqldbtest.NewPostgres(t)}
	u, err := url.Parse(f.url)
	require.NoError(t, err)
	f.role = "trunkline-reader " + u.Path[len(u.Path)-8:] // roles belong to the cluster, not to the database
	f.admin, err = sql.Open("pgx", f.url)
	require.NoError(t, err)
	tables, err := os.ReadFile("testdata/mastodon.sql")
	require.NoError(t, err)
	f.exec(string(tables))
	f.exec(`CREATE EXTENSION pgcrypto`)
	f.exec(RoleSQL(f.role))
	f.exec(`ALTER ROLE ` + identifier(f.role) + ` PASSWORD 'hunter2/zwei'`)
	u.User = url.UserPassword(f.role, "hunter2/zwei")
	f.url = u.String()
	f.Checker, err = New(Config{URL: f.url})
	require.NoError(t, err)
	f.compare = func(hash, password []byte) error {
		cost, err := bcrypt.Cost(hash)
		require.NoError(t, err)
		f.mu.Lock()
		f.costs = append(f.costs, cost)
		f.mu.Unlock()
		return bcrypt.CompareHashAndPassword(hash, password)
	}
	t.Cleanup(func() {
		require.NoError(t, f.Close())
		_, err := f.admin.Exec(`DROP OWNED BY ` + identifier(f.role) + `; DROP ROLE ` + identifier(f.role))
		require.NoError(t, err)
		require.NoError(t, f.admin.Close())
	})
	return f
}

func (f *fixture) exec(query string) {
	f.t.Helper()
	_, err := f.admin.ExecContext(f.t.Context(), query)
	require.NoError(f.t, err)
}

// add makes a live local person with the password.
func (f *fixture) add(username string) {
	f.t.Helper()
	f.exec(`WITH a AS (INSERT INTO accounts (username, created_at, updated_at) VALUES (` + literal(username) + `, now(), now()) RETURNING id)
		INSERT INTO users (email, created_at, updated_at, encrypted_password, confirmed_at, account_id)
		SELECT ` + literal(username+"@example.org") + `, now(), now(), ` + quick + `, now(), id FROM a`)
}

// id is the local account's of this name.
func (f *fixture) id(username string) (id string) {
	f.t.Helper()
	require.NoError(f.t, f.admin.QueryRowContext(f.t.Context(),
		`SELECT id::text FROM accounts WHERE username = $1 AND domain IS NULL`, username).Scan(&id))
	return id
}

// check is the answer, which must be one.
func (f *fixture) check(username, password string) (ok bool, reason string) {
	f.t.Helper()
	ok, reason, err := f.Check(f.t.Context(), username, password)
	require.NoError(f.t, err)
	require.Equal(f.t, ok, reason == ReasonOK)
	return ok, reason
}

func (f *fixture) reason(username, password string) string {
	f.t.Helper()
	_, reason := f.check(username, password)
	return reason
}
