package backend

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// golden is testdata/issued.tsv: secret to whether it looks like ours.
func golden(tb testing.TB) map[string]bool {
	tb.Helper()
	text, err := os.ReadFile("testdata/issued.tsv")
	require.NoError(tb, err)
	table := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		want, quoted, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		require.True(tb, ok, line)
		require.Contains(tb, []string{"yes", "no"}, want)
		secret, err := strconv.Unquote(quoted)
		require.NoError(tb, err, line)
		table[secret] = want == "yes"
	}
	require.Greater(tb, len(table), 40)
	return table
}

func TestIssuedPasswordsAreRecognised(t *testing.T) {
	for secret, want := range golden(t) {
		require.Equal(t, want, issued(secret), "%q", secret)
	}
}

// Prosody's module decides as we do, of the table and of each dash and space
// between the groups.
func TestTheModuleRecognisesTheSame(t *testing.T) {
	table := golden(t)
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.Pd, unicode.White_Space) {
			for _, groups := range []string{"tld|aaaa|bbbb|cccc|dddd|eeee|ffff", "TLD|typo", "|tldaaaabbbbccccddddeeeeffff|"} {
				secret := strings.ReplaceAll(groups, "|", string(r))
				require.True(t, issued(secret), "%q", secret)
				table[secret] = true
			}
		}
	}
	var secrets []string
	for secret := range table {
		secrets = append(secrets, secret)
	}
	for i, answer := range inLua(t, secrets) {
		require.Equal(t, table[secrets[i]], answer == "true", "%q", secrets[i])
	}
}

// inLua is what the module's function says of each.
func inLua(tb testing.TB, secrets []string) []string {
	tb.Helper()
	var in bytes.Buffer
	for _, s := range secrets {
		in.WriteString(hex.EncodeToString([]byte(s)) + "\n")
	}
	command := exec.CommandContext(tb.Context(), "lua5.4", "-e", `
		local issued = dofile("../../contrib/prosody/mod_auth_trunkline/issued.lib.lua");
		for line in io.lines() do
			print(issued((line:gsub("..", function (byte) return string.char(tonumber(byte, 16)); end))));
		end`)
	command.Stdin = &in
	out, err := command.CombinedOutput()
	require.NoError(tb, err, string(out))
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	require.Len(tb, answers, len(secrets))
	return answers
}

// Only what nobody would take for a password of their own is kept from others.
func FuzzIssued(f *testing.F) {
	for secret := range golden(f) {
		f.Add(secret)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		if !issued(secret) {
			return
		}
		plain := strings.Map(func(r rune) rune {
			if r >= unicode.MaxASCII || r == '-' || unicode.IsSpace(r) {
				return -1
			}
			return unicode.ToLower(r)
		}, secret)
		require.Regexp(t, `^(tl[tia]_|tld|eyj)`, plain)
	})
}
