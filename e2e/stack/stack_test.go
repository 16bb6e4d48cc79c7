package stack

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOwnFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo", "4.6")
	require.NoError(t, ownFolder(dir))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	require.NoError(t, ownFolder(dir), "a second start")

	elsewhere := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, elsewhere))
	assert.ErrorContains(t, ownFolder(elsewhere), "belongs to somebody else")
	if os.Getuid() == 0 {
		require.NoError(t, syscall.Chown(dir, 65534, 65534))
		assert.ErrorContains(t, ownFolder(dir), "belongs to somebody else")
	}
}

func TestPortsAreKept(t *testing.T) {
	dir := t.TempDir()
	first, err := choosePorts(dir)
	require.NoError(t, err)
	second, err := choosePorts(dir)
	require.NoError(t, err)
	assert.Equal(t, first, second)
}

func TestOneStackAFolder(t *testing.T) {
	dir := t.TempDir()
	first, err := lockFolder(dir)
	require.NoError(t, err)
	_, err = lockFolder(dir)
	assert.ErrorContains(t, err, "running already")
	assert.ErrorContains(t, Clean(dir), "running already")
	require.NoError(t, first.Close())
	require.NoError(t, Clean(dir))
	assert.NoDirExists(t, dir)
	assert.NoError(t, Clean(dir), "nothing there")
}

func TestStartSaysWhatIsWrongWithMastodon(t *testing.T) {
	for address, want := range map[string]string{
		"foo":                  "write https://",
		"ftp://social.example": "write https://",
		"http://127.0.0.1:1":   "does not answer like a Mastodon server",
	} {
		_, err := Start(t.Context(), Options{Dir: t.TempDir(), Mastodon: address})
		assert.ErrorContains(t, err, want, address)
	}
}

func TestParseInstance(t *testing.T) {
	for raw, want := range map[string]string{
		`{"domain":"Social.example"}`:                "social.example",
		`{"uri":"social.example"}`:                   "social.example",
		`{"uri":"https://social.example:8443/"}`:     "social.example",
		`{"uri":"localhost:8080","title":"a title"}`: "localhost",
	} {
		got, err := parseInstance([]byte(raw))
		require.NoError(t, err, raw)
		assert.Equal(t, want, got, raw)
	}
	for _, raw := range []string{`{}`, `<html>`, `{"domain":""}`} {
		_, err := parseInstance([]byte(raw))
		assert.Error(t, err, raw)
	}
}
