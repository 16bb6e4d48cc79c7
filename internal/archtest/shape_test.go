package archtest

import (
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The budgets of STYLE: a reader takes in a file and a function at one sitting.
const (
	maxFileLines = 400
	maxFuncLines = 60
)

func repository(t *testing.T) []source {
	t.Helper()
	files, err := goFiles(os.DirFS("../.."))
	require.NoError(t, err)
	return files
}

// written are the endings of files that people write by hand.
var written = []string{".go", ".ts", ".tsx", ".mjs", ".js", ".css", ".lua", ".sh"}

// lengthRule complains about files that are too long.
func lengthRule(root fs.FS) ([]string, error) {
	var bad []string
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && outside(root, name, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(written, path.Ext(name)):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if n := strings.Count(string(text), "\n"); err == nil && n > maxFileLines {
			bad = append(bad, fmt.Sprintf("%s has %d lines, the most is %d", name, n, maxFileLines))
		}
		return err
	})
	return bad, err
}

// functionRule complains about functions that are too long. Tests may have long
// tables.
func functionRule(files []source) []string {
	var bad []string
	for _, f := range files {
		if f.test {
			continue
		}
		for _, decl := range f.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
			if n > maxFuncLines {
				bad = append(bad, fmt.Sprintf("%s: %s has %d lines, the most is %d", f.name, fn.Name.Name, n, maxFuncLines))
			}
		}
	}
	return bad
}

// commentRule complains about packages that do not say what they promise.
func commentRule(files []source) []string {
	said, ships := map[string]bool{}, map[string]string{}
	for _, f := range files {
		if f.test {
			continue
		}
		ships[f.pkg] = f.file.Name.Name
		if doc := f.file.Doc.Text(); len(strings.TrimSpace(doc)) > 40 {
			said[f.pkg] = said[f.pkg] || strings.HasPrefix(doc, "Package "+f.file.Name.Name+" ") || f.file.Name.Name == "main" && strings.HasPrefix(doc, "Command ")
		}
	}
	var bad []string
	for pkg, name := range ships {
		if !said[pkg] {
			bad = append(bad, fmt.Sprintf("%s: package %s has no comment that says what it promises", pkg, name))
		}
	}
	slices.Sort(bad)
	return bad
}

// nameRule complains about names that say nothing of what is inside.
func nameRule(files []source) []string {
	empty := regexp.MustCompile(`^(utils?|common|helpers?|misc|shared|base|lib|stuff)$`)
	var bad []string
	for _, f := range files {
		stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.name), ".go"), "_test")
		if empty.MatchString(stem) || empty.MatchString(f.file.Name.Name) || slices.ContainsFunc(strings.Split(f.pkg, "/"), empty.MatchString) {
			bad = append(bad, f.name+" has a name that says nothing of what is inside")
		}
	}
	return bad
}

// callRule complains about calls that the house does without: a test that
// sleeps or skips, a context from nowhere, and the wall clock read while a
// value is constructed or a package initialised.
func callRule(files []source) []string {
	var bad []string
	for _, f := range files {
		for _, decl := range f.file.Decls {
			fn, isFunc := decl.(*ast.FuncDecl)
			constructs := !isFunc || strings.HasPrefix(fn.Name.Name, "New") || fn.Name.Name == "init"
			ast.Inspect(decl, func(n ast.Node) bool {
				if lit, ok := n.(*ast.FuncLit); ok && constructs && lit != nil {
					return false // runs later
				}
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, _ := sel.X.(*ast.Ident)
				if x == nil {
					return true
				}
				what := x.Name + "." + sel.Sel.Name
				switch {
				case what == "context.TODO",
					f.test && what == "time.Sleep",
					f.test && (x.Name == "t" || x.Name == "tb" || x.Name == "b" || x.Name == "f") && strings.HasPrefix(sel.Sel.Name, "Skip"),
					!f.test && constructs && what == "time.Now":
					bad = append(bad, fmt.Sprintf("%s:%d must not call %s here", f.name, f.fset.Position(call.Pos()).Line, what))
				}
				return true
			})
		}
	}
	return bad
}

func TestLengths(t *testing.T) {
	bad, err := lengthRule(os.DirFS("../.."))
	require.NoError(t, err)
	assert.Empty(t, bad)
	assert.Empty(t, functionRule(repository(t)))
}

func TestPackageComments(t *testing.T) { assert.Empty(t, commentRule(repository(t))) }

func TestNames(t *testing.T) { assert.Empty(t, nameRule(repository(t))) }

func TestCalls(t *testing.T) { assert.Empty(t, callRule(repository(t))) }

func TestShapeRulesComplain(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	tree := fstest.MapFS{
		"a/a.go":          file("// Package a says enough about itself to be worth reading.\npackage a\n\nfunc F() {\n" + strings.Repeat("\n", 60) + "}\n"),
		"a/long.ts":       file(strings.Repeat("\n", 401)),
		"a/long.md":       file(strings.Repeat("\n", 401)),
		"b/util.go":       file("// Package b is.\npackage b\n"),
		"common/c.go":     file("// Package common says enough about itself to be worth reading.\npackage common\n"),
		"a/new.go":        file("package a\nimport \"time\"\nvar t0 = time.Now()\nvar now = time.Now\nfunc NewA() func() { _ = time.Now(); return func() { time.Now() } }\nfunc later() { time.Now() }\n"),
		"a/sleep_test.go": file("package a\nfunc TestA(t *testing.T) { t.Skip(); t.Run(``, func(t *testing.T) { time.Sleep(1) }); context.TODO() }\n"),
	}
	files, err := goFiles(tree)
	require.NoError(t, err)
	long, err := lengthRule(tree)
	require.NoError(t, err)
	assert.Equal(t, []string{"a/long.ts has 401 lines, the most is 400"}, long)
	assert.Equal(t, []string{"a/a.go: F has 62 lines, the most is 60"}, functionRule(files))
	assert.Equal(t, []string{"b: package b has no comment that says what it promises"}, commentRule(files))
	assert.Equal(t, []string{"b/util.go has a name that says nothing of what is inside", "common/c.go has a name that says nothing of what is inside"}, nameRule(files))
	assert.Equal(t, []string{
		"a/new.go:3 must not call time.Now here", "a/new.go:5 must not call time.Now here",
		"a/sleep_test.go:2 must not call t.Skip here", "a/sleep_test.go:2 must not call time.Sleep here", "a/sleep_test.go:2 must not call context.TODO here",
	}, callRule(files))
}
