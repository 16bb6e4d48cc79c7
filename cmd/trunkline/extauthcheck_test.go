package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// contribEjabberd writes contrib's ejabberd.yml, as it is installed with program
// and secret in a folder of the test, changed by with, and returns its path.
func contribEjabberd(t *testing.T, with *strings.Replacer) string {
	t.Helper()
	dir := t.TempDir()
	program, secret := filepath.Join(dir, "trunkline"), filepath.Join(dir, "trunkline.secret")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	require.NoError(t, os.WriteFile(secret, []byte("t0p-s3cret\n"), 0o600))
	text, err := os.ReadFile("../../contrib/ejabberd/ejabberd.yml")
	require.NoError(t, err)
	placed := strings.NewReplacer("/usr/local/bin/trunkline", program, "/etc/ejabberd/trunkline.secret", secret).Replace(string(text))
	require.NotEqual(t, string(text), placed)
	path := filepath.Join(dir, "ejabberd.yml")
	require.NoError(t, os.WriteFile(path, []byte(with.Replace(placed)), 0o600))
	return path
}

// A program or a secret that is not there keeps everybody out, and no other check
// sees it.
func TestTheCheckLooksForTheProgramAndItsSecret(t *testing.T) {
	path := contribEjabberd(t, strings.NewReplacer())
	program, secret := filepath.Join(filepath.Dir(path), "trunkline"), filepath.Join(filepath.Dir(path), "trunkline.secret")
	check := func(want int, says ...string) {
		t.Helper()
		code, out, stderr := start(t, "extauth", "--check", path)
		require.Equal(t, want, code, out+stderr)
		for _, s := range says {
			assert.Contains(t, out, s)
		}
		assert.NotContains(t, out, "t0p-s3cret", "what is in the secret's file")
	}
	check(exitOK, "the program "+program+" on this machine", "the secret "+secret+" on this machine", "sudo -u ejabberd trunkline extauth --ask")
	require.NoError(t, os.Chmod(program, 0o600))
	check(exitFailed, program+" cannot be started. Run: chmod 755 "+program)
	require.NoError(t, os.Remove(program))
	check(exitFailed, "there is no "+program+" on this machine", "write where it is (the one that says this is ")
	require.NoError(t, os.Mkdir(program, 0o700))
	check(exitFailed, program+" is a folder")
	require.NoError(t, os.Remove(program))
	require.NoError(t, os.WriteFile(program, nil, 0o700))
	require.NoError(t, os.WriteFile(secret, []byte("t0p-s3cret\nt0p-s3cret\n"), 0o600))
	check(exitFailed, secret+" must hold the shared secret on one line; see docs/ejabberd.md")
	require.NoError(t, os.Remove(secret))
	check(exitFailed, "there is no "+secret+" on this machine. Run: install -g ejabberd -m 0640 /etc/trunkline/extauth_secret "+secret)
}

// What nobody can tell from here is not told.
func TestLinesThatTheCheckLeavesAlone(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	for line, looks := range map[string]int{
		"trunkline extauth --secret-file /gone":                            1, // wherever ejabberd's PATH finds it
		program + " extauth --config /etc/trunkline/trunkline.toml":        1,
		program + " extauth --secret-file gone":                            1,
		program + " extauth --no-such-flag --secret-file /gone":            1,
		program + " /opt/wrapper extauth --secret-file /gone":              1,
		`"/opt/my programs/trunkline" extauth --secret-file /gone`:         0,
		program + " extauth --secret-file $HOME/gone":                      0,
		program + " extauth --url unix:/gone --config=/etc/trunkline.toml": 1,
	} {
		found, looked := programFiles(line)
		if strings.HasPrefix(line, "trunkline ") {
			assert.Len(t, found, 1, line) // the secret, whose path is whole
		} else {
			assert.Empty(t, found, line)
		}
		assert.Len(t, looked, looks, line)
	}
}
