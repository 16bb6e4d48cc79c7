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
		{began, "prosody", "auth", "alice", "203.0.113.7", "no", "unknown_secret"},
		{began + 1, "panel", "issue", "alice", "", "ok", "xmpp"},
		{began + 2, "ldap", "auth", "bob\x1b[2J", "", "yes", "ok"},
	} {
		_, err := db.ExecContext(t.Context(), `INSERT INTO audit (at, front, op, username, address, outcome, reason)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, row...)
		require.NoError(t, err)
	}
	_, out, _ = start(t, "audit", "--config", path)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 4)
	assert.Contains(t, lines[1], "ldap", "newest first")
	assert.NotContains(t, out, "\x1b")

	for _, args := range [][]string{{"@Alice@social.example"}, {"alice", "--limit", "5"}} {
		_, out, _ = start(t, append([]string{"audit", "--config", path}, args...)...)
		assert.Equal(t, 3, strings.Count(out, "\n"), out)
		assert.NotContains(t, out, "bob")
	}
	_, out, _ = start(t, "audit", "--address", "203.0.113.7", "--json", "--config", path)
	var row map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &row))
	assert.Equal(t, "unknown_secret", row["reason"])
	_, out, _ = start(t, "audit", "--since", "1h", "--config", path)
	assert.Empty(t, out)

	for _, args := range []string{"a b", "--limit 0", "--since -1h"} {
		code, _, _ := start(t, append([]string{"audit", "--config", path}, strings.Fields(args)...)...)
		assert.Equal(t, exitUsage, code, args)
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
