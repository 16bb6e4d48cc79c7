package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

func TestAuditShowsWhatWasRecorded(t *testing.T) {
	path := writeConfig(t, "")
	code, out, stderr := start(t, "audit", "--config", path)
	assert.Equal(t, exitOK, code, stderr)
	assert.Empty(t, out)
	assert.Contains(t, stderr, "Nothing of the kind")

	cfg, err := config.Load(path, nil)
	require.NoError(t, err)
	db, err := sqldb.Open(t.Context(), cfg.StoreURL().Reveal())
	require.NoError(t, err)
	defer db.Close()
	began := time.Now().Add(-2 * time.Hour).UnixMilli()
	for _, row := range [][]any{
		{began, "prosody", "127.0.0.9", "auth", "alice", "", "203.0.113.7", "no", "unknown_secret"},
		{began + 1, "panel", "", "issue", "alice", "device-of-alice", "2001:db8::7", "ok", "xmpp"},
		{began + 2, "ldap", "caller\x1b", "auth", "bob\x1b[2J", "device\x1b", "", "yes", "ok"},
	} {
		_, err := db.ExecContext(t.Context(), `INSERT INTO audit (at, front, caller, op, username, credential_id, address, outcome, reason)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, row...)
		require.NoError(t, err)
	}
	_, out, _ = start(t, "audit", "--config", path)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 4)
	assert.Contains(t, lines[1], "ldap", "newest first")
	assert.NotContains(t, out, "\x1b")
	assert.Equal(t, []string{"WHEN", "(UTC)", "FRONT", "CALLER", "WHAT", "WHO", "DEVICE", "FROM", "ANSWER", "WHY"}, strings.Fields(lines[0]))
	assert.Equal(t, []string{"panel", "issue", "alice", "device-of-alice", "2001:db8::7", "ok", "xmpp"}, strings.Fields(lines[2])[2:])
	assert.Equal(t, []string{"prosody", "127.0.0.9", "auth", "alice", "203.0.113.7", "no", "unknown_secret"}, strings.Fields(lines[3])[2:])

	for _, args := range [][]string{{"@Alice@social.example"}, {"alice", "--limit", "5"}} {
		_, out, _ = start(t, append([]string{"audit", "--config", path}, args...)...)
		assert.Equal(t, 3, strings.Count(out, "\n"), out)
		assert.NotContains(t, out, "bob")
	}
	_, out, _ = start(t, "audit", "--address", "203.0.113.7", "--json", "--config", path)
	var row map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &row))
	assert.Equal(t, "unknown_secret", row["reason"])
	assert.Equal(t, "127.0.0.9", row["caller"])
	_, out, _ = start(t, "audit", "--address", "2001:DB8:0::7", "--config", path)
	assert.Equal(t, 2, strings.Count(out, "\n"), "the same address, written otherwise")
	for since, lines := range map[string]int{"1h": 0, "90m": 0, "24h": 4, "7d": 4, "1d12h": 4} {
		_, out, _ = start(t, "audit", "--since", since, "--config", path)
		assert.Equal(t, lines, strings.Count(out, "\n"), since)
	}

	for args, says := range map[string]string{
		"a b": "one name", "--limit 0": "--limit is at least 1", "--since -1h": "write 90m, 24h or 7d", "--since 0h": "write 90m, 24h or 7d",
		"--since yesterday": `--since is "yesterday"; write 90m, 24h or 7d; see: trunkline help audit`,
		"--address alice":   "which is no IP address such as 203.0.113.7", "--address 203.0.113.0/24": "no IP address",
	} {
		code, _, stderr := start(t, append([]string{"audit", "--config", path}, strings.Fields(args)...)...)
		assert.Equal(t, exitUsage, code, args)
		assert.Contains(t, stderr, says)
	}
}

func TestJWKIsPrinted(t *testing.T) {
	code, _, stderr := start(t, "config", "jwk", "--config", writeConfig(t, ""))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "secrets.jwt_key is not set")

	_, key, _ := start(t, "config", "secret")
	code, out, stderr := start(t, "config", "jwk", "--config", writeConfig(t, "jwt_key = \""+strings.TrimSpace(key)+"\"\n"))
	require.Equal(t, exitOK, code, stderr)
	var jwk map[string]string
	require.NoError(t, json.Unmarshal([]byte(out), &jwk))
	assert.Equal(t, strings.TrimSpace(key), jwk["k"])
	assert.Equal(t, "oct", jwk["kty"])
}
