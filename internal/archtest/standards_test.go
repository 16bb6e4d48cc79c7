package archtest

import (
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// obeyed is the heading of the tables whose rows name a file and a test.
const obeyed = "| § | requirement | what happens here | file | test |\n|---|---|---|---|---|\n"

var (
	fileName = regexp.MustCompile("`([^`]+\\.[a-z]+)`")
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
)

// standardsRule complains about rows of those tables that name no file or no
// test, or one that does not exist. A row with a dash for both is one that says
// why nothing is done here.
func standardsRule(root fs.FS, text string, files []source) (bad []string, rows int) {
	tests := map[string]bool{}
	for _, f := range files {
		for _, decl := range f.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && f.test && fn.Recv == nil {
				tests[fn.Name.Name] = true
			}
		}
	}
	for _, table := range strings.Split(text, obeyed)[1:] {
		table, _, _ = strings.Cut(table, "\n\n")
		for line := range strings.Lines(table) {
			cells := strings.Split(strings.TrimSpace(line), "|")
			if len(cells) != 7 {
				bad = append(bad, fmt.Sprintf("%q has %d cells", line, len(cells)-2))
				continue
			}
			rows++
			where, held := fileName.FindAllStringSubmatch(cells[4], -1), testName.FindAllStringSubmatch(cells[5], -1)
			if nothing := cells[4] == " – " && cells[5] == " – "; !nothing && (len(where) == 0 || len(held) == 0) {
				bad = append(bad, "no file or no test:"+cells[2])
			}
			for _, m := range where {
				if _, err := fs.Stat(root, m[1]); err != nil {
					bad = append(bad, "there is no "+m[1])
				}
			}
			for _, m := range held {
				if !tests[m[1]] {
					bad = append(bad, "there is no "+m[1])
				}
			}
		}
	}
	return bad, rows
}

func TestStandards(t *testing.T) {
	text, err := os.ReadFile("../../docs/standards.md")
	require.NoError(t, err)
	bad, rows := standardsRule(os.DirFS("../.."), string(text), repository(t))
	assert.Empty(t, bad)
	assert.Greater(t, rows, 40, "the tables were not found")
}

func TestStandardsRuleComplains(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	tree := fstest.MapFS{
		"a/a.go":      file("package a\nfunc TestOdd() {}\n"),
		"a/a_test.go": file("package a\nimport \"testing\"\nfunc TestA(t *testing.T) {}\nfunc FuzzA(f *testing.F) {}\n"),
	}
	files, err := goFiles(tree)
	require.NoError(t, err)
	bad, rows := standardsRule(tree, "# X\n"+obeyed+
		"| 1 | a | | `a/a.go` | `TestA`, `FuzzA` |\n"+
		"| 2 | b | | `a/b.go` | `TestOdd` |\n"+
		"| 3 | c | | | `TestA` |\n"+
		"| 4 | d | | `a/a.go` | |\n"+
		"| 5 | e | why not | – | – |\n"+
		"| 6 | f |\n"+
		"\n| 7 | of another table | | x | y |\n", files)
	assert.Equal(t, 5, rows)
	assert.Equal(t, []string{
		"there is no a/b.go", "there is no TestOdd", "no file or no test: c ", "no file or no test: d ", "\"| 6 | f |\" has 2 cells",
	}, bad)
}
