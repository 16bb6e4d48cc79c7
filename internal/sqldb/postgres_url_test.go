package sqldb_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

// Whatever is wrong with a URL or the server behind it, the password is in no
// error.
func TestErrorsDoNotTellThePassword(t *testing.T) {
	const password = "Hunter2zwei"
	good, err := url.Parse(sqldbtest.NewPostgres(t))
	require.NoError(t, err)
	wrong := *good
	wrong.User = url.UserPassword("trunkline", password)
	missing := wrong
	missing.Path = "/no_such_database"
	for _, rawURL := range []string{
		wrong.String(), missing.String(),
		"postgres://u:" + password + "@127.0.0.1:1/x",
		"postgres://u:" + password + "@host.invalid/x",
		"postgres://u:" + password + "@127.0.0.1/x?sslmode=perhaps",
		"postgres://u:" + password + "@127.0.0.1/x?sslrootcert=/no/such/file&sslmode=verify-full",
		"postgres://u:" + password + "@127.0.0.1/x?connect_timeout=" + password,
		"postgres://u:" + password + "@127.0.0.1/x?listen=perhaps",
		"postgres://u:" + password + "@127.0.0.1/",
		"postgres://u:" + password + "@127.0.0.1/x#y",
		"postgres://u:" + password + "@127.0.0.1:many/x",
		"postgres:u:" + password + "@127.0.0.1/x",
		// Characters that should have been written as %XX.
		"postgres://u:1/" + password + "@127.0.0.1/x",
		"postgres://u:1?" + password + "@127.0.0.1/x",
		"postgres://u:1#" + password + "@127.0.0.1/x",
		"postgres://u:%" + password + "@127.0.0.1/x",
		"postgres://u:[" + password + "@127.0.0.1/x",
		"postgres://u:" + password + " @127.0.0.1/x",
		"postgres://u:" + password + "/@127.0.0.1/x",
		"postgres://u:" + password + "?@127.0.0.1/x",
		"postgres://u:" + password + "#@127.0.0.1/x",
		"postgres://u:" + password + "\x00@127.0.0.1/x",
		"://u:" + password + "@127.0.0.1/x",
	} {
		_, err := sqldb.Open(t.Context(), rawURL)
		require.Error(t, err, rawURL)
		require.NotContains(t, strings.ToLower(err.Error()), "hunter2", rawURL)
		require.Contains(t, err.Error(), "sqldb: ")
	}
}

// A connection that leaves the machine is encrypted and verified unless the
// URL says otherwise in so many words.
func TestPlainConnectionsMustBeAskedFor(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for rawURL, want := range map[string]bool{
		"postgres://u:p@db.example/x":                                true,
		"postgres://u:p@192.0.2.1:5433/x":                            true,
		"postgresql://u:p@db.example/x?listen=off":                   true,
		"postgres://u:p@localhost,db.example/x":                      true,
		"postgres://u:p@db.example/x?sslmode=verify-full":            true,
		"postgres://u:p@db.example/x?sslmode=disable":                false,
		"postgres://u:p@127.0.0.1/x":                                 false,
		"postgres://u:p@[::1]/x":                                     false,
		"postgres://u@/x?host=/run/postgresql":                       false,
		"postgres://u:p@db.example/x?host=%2Frun%2Fpostgresql":       false,
		"postgres://u:p@localhost/x?host=db.example&sslmode=disable": false,
	} {
		cfg, _, err := sqldb.PostgresURL(rawURL)
		require.NoError(t, err, rawURL)
		verified := cfg.TLSConfig != nil && !cfg.TLSConfig.InsecureSkipVerify
		for _, f := range cfg.Fallbacks {
			verified = verified && (f.Host == "localhost" || f.TLSConfig != nil && !f.TLSConfig.InsecureSkipVerify)
		}
		require.Equal(t, want, verified, rawURL)
	}
}

// A URL that is accepted reaches the driver as it was written, and no error
// quotes the password.
func FuzzPostgresURL(f *testing.F) {
	for _, s := range []string{
		"postgres://user:pass%20word@host:5432/name?sslmode=verify-full", "postgres://u@/x?host=/run/postgresql&listen=off",
		"postgresql://[::1]/x", "postgres://a,b/x", "postgres://u:p#@h/x", "postgres:", "postgres://h/x?a=b&a=c;", "postgres://u:p@h:1/x?port=2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cfg, _, err := sqldb.PostgresURL(s)
		u, parsed := url.Parse(s)
		if err != nil {
			if parsed == nil {
				says := strings.TrimPrefix(err.Error(), "sqldb: the database URL cannot be used: ")
				if p, _ := u.User.Password(); p != "" && !errors.Is(err, sqldb.ErrPostgresURL) && !errors.Is(err, sqldb.ErrListenWord) {
					require.NotContains(t, says, p)
				}
			}
			return
		}
		require.NoError(t, parsed)
		if !u.Query().Has("dbname") && !u.Query().Has("database") && !u.Query().Has("service") {
			require.Equal(t, strings.TrimPrefix(u.Path, "/"), cfg.Database)
		}
		require.Empty(t, cfg.RuntimeParams["listen"])
	})
}
