package archtest

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorded finds the words of the audit record in the sources: a
// constant of a reason, or the operation of an event.
var recorded = regexp.MustCompile(`\b[rR]eason[A-Z]\w* *= "(\w+)"|\bOp: "(\w+)"|\brecord(?:Admin)?\("(\w+)"|\bReason: "(\w+)"`)

// An admin who reads a word in the audit record finds it in docs/audit.md.
func TestWordsOfTheAuditRecordAreExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/audit.md")
	require.NoError(t, err)
	found := 0
	root := os.DirFS("../..")
	require.NoError(t, fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && outside(root, name, d.Name()):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"),
			!strings.HasPrefix(name, "tokens/") && !strings.HasPrefix(name, "cmd/"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		for _, m := range recorded.FindAllStringSubmatch(string(text), -1) {
			found++
			word := strings.Join(m[1:], "")
			assert.True(t, strings.Contains(string(page), "`"+word+"`"), "%s: %s is not in docs/audit.md", name, word)
		}
		return err
	}))
	assert.Greater(t, found, 40, "where the words are has changed")
}
