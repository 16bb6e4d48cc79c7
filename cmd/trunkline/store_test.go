package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
)

// storeOf is the database of a configuration that writeFileConfig wrote.
func storeOf(config string) string {
	return "sqlite:" + filepath.Join(filepath.Dir(config), "trunkline.db")
}

func openStore(t *testing.T, rawURL string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), rawURL)
	require.NoError(t, err)
	return db
}

// writeVersion1 writes the file that the first release made.
func writeVersion1(path, schema string) error {
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	_, err = pool.Exec(schema + `; PRAGMA application_id = 1414680139; PRAGMA user_version = 1; PRAGMA journal_mode = WAL`)
	return errors.Join(err, pool.Close())
}

func TestMigrate(t *testing.T) {
	path := writeFileConfig(t, "")
	store := storeOf(path)
	code, out, stderr := start(t, "migrate", "--dry-run", "--config", path)
	require.Equal(t, exitOK, code, stderr)
	assert.Equal(t, store+" is new; it would be set up with version 2.\n", out)
	require.NoFileExists(t, strings.TrimPrefix(store, "sqlite:"))

	// The database of the release before this one.
	v1, err := os.ReadFile("../../internal/sqldb/testdata/schema_v1.sql")
	require.NoError(t, err)
	require.NoError(t, writeVersion1(strings.TrimPrefix(store, "sqlite:"), string(v1)))
	for _, tc := range []struct{ args, says string }{
		{"--dry-run", "would be brought from version 1 to 2."},
		{"", "was brought from version 1 to 2."},
		{"", "has version 2 already; nothing is to be done."},
		{"--dry-run", "has version 2 already; nothing is to be done."},
	} {
		code, out, stderr := start(t, append(strings.Fields("migrate "+tc.args), "--config", path)...)
		require.Equal(t, exitOK, code, stderr)
		assert.Equal(t, store+" "+tc.says+"\n", out)
	}

	db := openStore(t, store)
	_, err = db.ExecContext(t.Context(), `PRAGMA user_version = 3`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	for _, args := range []string{"migrate", "migrate --dry-run"} {
		code, out, stderr = start(t, append(strings.Fields(args), "--config", path)...)
		require.Equal(t, exitFailed, code)
		assert.Empty(t, out)
		assert.Contains(t, stderr, "version 3, but this Trunkline knows only 2")
	}
	code, _, stderr = start(t, "migrate", "now")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "--config FILE")
}

func TestStoreCopyMisuse(t *testing.T) {
	for args, says := range map[string]string{
		"store":                       "needs a word: copy",
		"store move":                  `no word "move"`,
		"store copy":                  "--to URL",
		"store copy sqlite:/a --to x": "--from URL",
		"store copy --to x --frm y":   "-frm",
	} {
		code, out, stderr := start(t, strings.Fields(args)...)
		assert.Equal(t, exitUsage, code, args)
		assert.Empty(t, out)
		assert.Contains(t, stderr, says)
	}
	code, _, stderr := start(t, "store", "copy", "--from", "sqlite:/a", "--to", "sqlite:/b", "--to-password-file", writeConfig(t, ""))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "a URL with a user")
}

func TestStoreCopySaysWhatIsWrong(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone.db")
	code, _, stderr := start(t, "store", "copy", "--from", "sqlite:"+gone, "--to", "sqlite:"+gone+"2")
	assert.Equal(t, exitFailed, code)
	assert.Equal(t, "trunkline: the source: there is no such file: "+gone+"\n", stderr)
	assert.NoFileExists(t, gone+"2")

	path := writeFileConfig(t, "")
	require.NoError(t, openStore(t, storeOf(path)).Close())
	pg, _ := withoutPassword(t, sqldbtest.NewPostgres(t))
	wrong := filepath.Join(t.TempDir(), "wrong")
	require.NoError(t, os.WriteFile(wrong, []byte("not this one\n"), 0o600))
	for says, args := range map[string][]string{
		"--to-password-file\n":                   {"--from", storeOf(path), "--to", pg, "--to-password-file", wrong},
		"--from-password-file\n":                 {"--from", pg, "--to", "sqlite:" + gone, "--from-password-file", wrong},
		"secrets.store_password_file in " + path: {"--config", path, "--to", "sqlite:" + gone},
	} {
		if strings.HasPrefix(says, "secrets.") {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			other := strings.Replace(string(text), storeOf(path), pg, 1) + "store_password_file = \"" + wrong + "\"\n"
			require.NoError(t, os.WriteFile(path, []byte(other), 0o600))
		}
		code, _, stderr := start(t, append([]string{"store", "copy"}, args...)...)
		assert.Equal(t, exitFailed, code)
		assert.Contains(t, stderr, says)
		assert.Contains(t, stderr, "password authentication failed")
		assert.NotContains(t, stderr, "sqldb:")
		assert.NotContains(t, stderr, "not this one")
	}
}

// Passwords that were issued on SQLite open the same doors on PostgreSQL.
func TestStoreCopyLosesNoCredential(t *testing.T) {
	path := writeFileConfig(t, "")
	key := bytes.Repeat([]byte{7}, 32)
	source := openStore(t, storeOf(path))
	for i := range 3 {
		_, err := source.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at, trusted_until)
			VALUES ($1, $2, 0, 0, $3)`, fmt.Sprint(i), fmt.Sprint("person", i), int64(1)<<60)
		require.NoError(t, err)
	}
	before, err := tokens.New(tokens.Config{DB: source, Key: key, Realm: "social.example"})
	require.NoError(t, err)
	secrets := map[string]string{} // secret to service
	device, xmpp, err := before.IssueDevice(t.Context(), "1", tokens.ServiceXMPP, "phone")
	require.NoError(t, err)
	secrets[xmpp] = tokens.ServiceXMPP
	phone, sip, err := before.IssueDevice(t.Context(), "1", tokens.ServiceSIP, "desk")
	require.NoError(t, err)
	secrets[sip] = tokens.ServiceSIP
	temporary, _, err := before.IssueTemporary(t.Context(), "1", "session")
	require.NoError(t, err)
	secrets[temporary] = tokens.ServiceXMPP
	gone, revoked, err := before.IssueDevice(t.Context(), "1", tokens.ServiceXMPP, "lost")
	require.NoError(t, err)
	_, err = before.RevokeDevice(t.Context(), "1", gone.ID, "lost")
	require.NoError(t, err)
	devices, err := before.Devices(t.Context(), "1")
	require.NoError(t, err)

	target, password := withoutPassword(t, sqldbtest.NewPostgres(t))
	args := []string{"store", "copy", "--config", path, "--to", target, "--to-password-file", password}
	code, out, stderr := start(t, args...)
	require.Equal(t, exitFailed, code)
	assert.Empty(t, out)
	assert.Contains(t, stderr, "stop it and try again")
	require.NoError(t, source.Close())
	code, out, stderr = start(t, args...)
	require.Equal(t, exitOK, code, stderr)
	assert.Regexp(t, `(?m)^ +4 +credentials$`, out)
	assert.Contains(t, out, "rows were copied from "+storeOf(path)+" to database")
	assert.NotContains(t, out+stderr, secretIn(t, password))

	db := openStore(t, joined(t, target, password))
	defer db.Close()
	after, err := tokens.New(tokens.Config{DB: db, Key: key, Realm: "social.example"})
	require.NoError(t, err)
	still, err := after.Devices(t.Context(), "1")
	require.NoError(t, err)
	assert.Equal(t, devices, still)
	assert.ElementsMatch(t, []string{phone.ID, device.ID}, []string{still[0].ID, still[1].ID})
	for secret, service := range secrets {
		for _, who := range []string{"person1", "person2"} {
			name := who
			if service == tokens.ServiceSIP && who == "person1" {
				name = phone.AuthName
			}
			v, err := after.Check(t.Context(), tokens.Attempt{Service: service, Username: name, Secret: secret})
			require.NoError(t, err)
			assert.Equal(t, who == "person1", v.OK, "%s of a %s for %s: %s", v.Purpose, service, name, v.Reason)
		}
	}
	v, err := after.Check(t.Context(), tokens.Attempt{Service: tokens.ServiceXMPP, Username: "person1", Secret: revoked})
	require.NoError(t, err)
	assert.False(t, v.OK)
	var subscribers int
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM subscriber WHERE username = $1`, phone.AuthName).Scan(&subscribers))
	assert.Equal(t, 1, subscribers, "Kamailio finds the phone")

	// A second time the target is not empty.
	require.NoError(t, db.Close())
	for inUse := true; inUse; inUse = strings.Contains(stderr, "stop it") { // the server may still know the closed connections
		code, _, stderr = start(t, args...)
	}
	require.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "nothing was copied")
}

// withoutPassword takes the password out of a URL and puts it into a file.
func withoutPassword(t *testing.T, rawURL string) (bare, file string) {
	t.Helper()
	u, err := url.Parse(rawURL)
	require.NoError(t, err)
	password, _ := u.User.Password()
	file = filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(password+"\n"), 0o600))
	u.User = url.User(u.User.Username())
	return u.String(), file
}

func secretIn(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.TrimSuffix(string(text), "\n")
}

func joined(t *testing.T, bare, file string) string {
	t.Helper()
	whole, err := withPassword(bare, file)
	require.NoError(t, err)
	return whole
}
