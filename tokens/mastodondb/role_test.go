package mastodondb

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The role reads the columns that Check needs, one by one, and nothing else; it
// writes nothing, even when it turns off what keeps it from trying.
func TestTheRoleCanDoNoMore(t *testing.T) {
	f := newFixture(t)
	f.add("alice")
	f.exec(`INSERT INTO oauth_access_tokens (token, created_at) VALUES ('secret', now())`)
	f.exec(RoleSQL(f.role)) // again
	reader, err := sql.Open("pgx", f.url+"&default_transaction_read_only=off")
	require.NoError(t, err)
	defer reader.Close()
	_, err = reader.ExecContext(t.Context(), `SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE`)
	require.NoError(t, err)

	rows, err := f.admin.QueryContext(t.Context(), `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'`)
	require.NoError(t, err)
	defer rows.Close()
	readable := 0
	for rows.Next() {
		var table, column string
		require.NoError(t, rows.Scan(&table, &column))
		_, err := reader.ExecContext(t.Context(), fmt.Sprintf(`SELECT %q FROM public.%q`, column, table))
		if needed(table, column) {
			assert.NoError(t, err, "%s.%s", table, column)
			readable++
		} else {
			assert.ErrorContains(t, err, "permission denied", "%s.%s", table, column)
		}
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, 16, readable)

	for _, forbidden := range []string{
		`SELECT * FROM users`, `SELECT users FROM users`, `SELECT token FROM oauth_access_tokens`,
		`UPDATE users SET encrypted_password = ''`, `UPDATE users SET disabled = false`, `DELETE FROM webauthn_credentials`,
		`INSERT INTO user_roles (id) VALUES (3)`, `TRUNCATE users CASCADE`, `DROP TABLE users`, `ALTER TABLE users ADD x text`,
		`SELECT id FROM users FOR UPDATE`, `DO $$ BEGIN LOCK TABLE users IN EXCLUSIVE MODE; END $$`, `CREATE TABLE public.mine (x text)`, `CREATE SCHEMA mine`,
		`CREATE ROLE another`, `CREATE DATABASE another`, `SELECT pg_read_file('/etc/passwd')`, `COPY (SELECT 1) TO PROGRAM 'true'`,
		`SELECT nextval('users_id_seq')`, `SELECT rolpassword FROM pg_authid`, `CREATE INDEX ON users (id)`, `CREATE EXTENSION pg_stat_statements`,
	} {
		_, err := reader.ExecContext(t.Context(), forbidden)
		assert.Regexp(t, `permission denied|must be owner|must be superuser`, err, forbidden)
	}
}

func needed(table, column string) bool {
	for _, c := range columns {
		if c.table == table {
			return slices.Contains(strings.Fields(c.names), column)
		}
	}
	return false
}

// A role that once could do more is cut down, and names are only names.
func TestRoleSQLMendsAndQuotes(t *testing.T) {
	f := newFixture(t)
	f.exec(`GRANT ALL ON users TO ` + identifier(f.role) + `; ALTER ROLE ` + identifier(f.role) + ` CREATEROLE BYPASSRLS`)
	f.exec(RoleSQL(f.role))
	var may bool
	require.NoError(t, f.admin.QueryRowContext(t.Context(), `SELECT has_table_privilege($1, 'users', 'UPDATE')
		OR has_column_privilege($1, 'users', 'email', 'SELECT') OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = $1`, f.role).Scan(&may))
	require.False(t, may)

	const odd = "a'b\"c; DROP TABLE users; -- $trunkline$\n DROP TABLE users;"
	f.exec(RoleSQL(odd))
	kept := `a'b"c; DROP TABLE users; -- trunkline DROP TABLE users;`
	var there bool
	require.NoError(t, f.admin.QueryRowContext(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)`, kept).Scan(&there))
	require.True(t, there)
	f.exec(`DROP OWNED BY ` + identifier(kept) + `; DROP ROLE ` + identifier(kept))
	f.add("alice")
}
