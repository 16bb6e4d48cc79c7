package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/trunkline-chat/trunkline"

// allowed lists, for each package that ships, the packages of this module that
// it may import. cmd and e2e put things together and may import anything;
// tests are free. A new package is a new line here and in docs/architecture.md.
var allowed = map[string][]string{
	"gateway":                               {"gateway/framing", "gateway/policy", "gateway/wsframe", "internal/origin"},
	"gateway/framing":                       {},
	"gateway/framing/framingtest":           {"gateway/framing"},
	"gateway/policy":                        {"gateway/framing"},
	"gateway/wsframe":                       {},
	"internal/archtest":                     {},
	"internal/config":                       {"internal/origin"},
	"internal/integration":                  {},
	"internal/origin":                       {},
	"internal/sqldb":                        {},
	"internal/sqldb/sqldbtest":              {"internal/sqldb"},
	"internal/sqldb/sqldbtest/withpostgres": {"internal/sqldb/sqldbtest"},
	"static":                                {},
	"tokens":                                {"internal/sqldb"},
	"tokens/audit":                          {"internal/sqldb"},
	"tokens/backend":                        {},
	"tokens/backend/ldap":                   {"tokens/backend"},
	"tokens/extauth":                        {},
	"tokens/kick":                           {},
	"tokens/mastodondb":                     {"internal/sqldb"},
	"webclient":                             {"internal/origin", "internal/sqldb", "static", "webclient/mastodon"},
	"webclient/mastodon":                    {},
	"webclient/mastodon/mastodontest":       {},
}

// source is one parsed Go file.
type source struct {
	name string // path from the root
	pkg  string // its folder
	test bool
	text string
	file *ast.File
	fset *token.FileSet
}

// goFiles parses every Go file of a tree that belongs to this module.
func goFiles(root fs.FS) ([]source, error) {
	var list []source
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && outside(root, name, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		list = append(list, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), string(text), file, fset})
		return nil
	})
	return list, err
}

// outside tells folders that are not ours to judge: what is fetched, built or
// kept by a run, and modules of their own.
func outside(root fs.FS, dir, name string) bool {
	if dir == "." {
		return false
	}
	if name == "node_modules" || name == "testdata" || name == "dist" || strings.HasPrefix(name, ".") {
		return true
	}
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return err == nil
}

// importRule complains about imports that the table does not allow.
func importRule(files []source) []string {
	var bad []string
	for _, f := range files {
		free := f.test || f.pkg == "cmd" || f.pkg == "e2e" || strings.HasPrefix(f.pkg, "cmd/") || strings.HasPrefix(f.pkg, "e2e/")
		may, known := allowed[f.pkg]
		if !known && !free {
			bad = append(bad, fmt.Sprintf("%s: %q is a new package: say in archtest what it may import", f.name, f.pkg))
		}
		for _, spec := range f.file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			dep, ours := strings.CutPrefix(imp, module+"/")
			if ours && !free && !slices.Contains(may, dep) {
				bad = append(bad, fmt.Sprintf("%s must not import %s", f.name, dep))
			}
		}
	}
	return bad
}

func TestImports(t *testing.T) {
	files := repository(t)
	assert.Empty(t, importRule(files))
	ships := map[string]bool{}
	for _, f := range files {
		ships[f.pkg] = true
	}
	for _, pkg := range []string{"cmd/trunkline", "gateway", "gateway/policy", "tokens", "tokens/backend", "webclient", "webclient/mastodon", "static"} {
		assert.True(t, ships[pkg], "%s was not found: the rules judge an empty tree", pkg)
	}
}

// TestTableIsTheDocumentedOne: people read the table in docs/architecture.md.
func TestTableIsTheDocumentedOne(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	require.NoError(t, err)
	_, rows, found := strings.Cut(string(text), "| may import of ours |\n|---|---|---|\n")
	require.True(t, found)
	rows, _, _ = strings.Cut(rows, "\n\n")
	quoted := regexp.MustCompile("`([^`]+)`")
	documented := map[string][]string{}
	for row := range strings.Lines(rows) {
		cells := strings.Split(row, "|")
		require.Len(t, cells, 5, row)
		may := []string{}
		for _, m := range quoted.FindAllStringSubmatch(cells[3], -1) {
			may = append(may, m[1])
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if strings.TrimSpace(cells[3]) != "anything" {
				slices.Sort(may)
				documented[m[1]] = may
			}
		}
	}
	assert.Equal(t, allowed, documented)
}

func TestImportRuleComplains(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	files, err := goFiles(fstest.MapFS{
		"cmd/trunkline/serve.go":     file("package main\nimport _ \"" + module + "/gateway\""),
		"gateway/a.go":               file("package gateway\nimport _ \"" + module + "/tokens\""),
		"gateway/b.go":               file("package gateway\nimport _ \"" + module + "/gateway/policy\""),
		"tokens/a_test.go":           file("package tokens\nimport _ \"" + module + "/webclient\""),
		"helpers/a.go":               file("package helpers"),
		"node_modules/x/go/a.go":     file("package broken {"),
		"scripts/tools/go.mod":       file("module tools"),
		"scripts/tools/tools.go":     file("package broken {"),
		"webclient/testdata/odd.go":  file("package broken {"),
		"webclient/panel/readme.txt": file("no Go"),
	})
	assert.NoError(t, err)
	assert.Equal(t, []string{
		"gateway/a.go must not import tokens",
		`helpers/a.go: "helpers" is a new package: say in archtest what it may import`,
	}, importRule(files))
}
