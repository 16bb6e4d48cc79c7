package archtest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// requirements reads the modules that a go.mod requires, and whether each is
// marked as indirect.
func requirements(gomod string) map[string]bool {
	indirect := map[string]bool{}
	for line := range strings.Lines(gomod) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(words) >= 2 && strings.Contains(words[0], ".") && strings.HasPrefix(words[1], "v") {
			indirect[words[0]] = strings.HasSuffix(strings.TrimSpace(line), "// indirect")
		}
	}
	return indirect
}

// moduleRule complains about requirements that say other than the imports do:
// go.mod names first what we have chosen, then what that brings along.
func moduleRule(gomod string, files []source) []string {
	indirect, used := requirements(gomod), map[string]bool{}
	var bad []string
	for _, f := range files {
		for _, spec := range f.file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			host, _, _ := strings.Cut(imp, "/")
			if !strings.Contains(host, ".") || strings.HasPrefix(imp+"/", module+"/") {
				continue
			}
			owner := ""
			for m := range indirect {
				if strings.HasPrefix(imp+"/", m+"/") && len(m) > len(owner) {
					owner = m
				}
			}
			if owner == "" || indirect[owner] {
				bad = append(bad, fmt.Sprintf("%s imports %s, which go.mod does not require directly", f.name, imp))
			}
			used[owner] = true
		}
	}
	for m, ind := range indirect {
		if !ind && !used[m] {
			bad = append(bad, "go.mod requires "+m+" directly, and nothing imports it")
		}
	}
	slices.Sort(bad)
	return bad
}

func TestRequirements(t *testing.T) {
	gomod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	require.NotEmpty(t, requirements(string(gomod)))
	assert.Empty(t, moduleRule(string(gomod), repository(t)))
}

func TestModuleRuleComplains(t *testing.T) {
	files, err := goFiles(fstest.MapFS{"a/a.go": {Data: []byte(`package a
import ("fmt"; "x.example/m/v2/sub"; "x.example/m"; "y.example/n"; "` + module + `/b")`)}})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"a/a.go imports y.example/n, which go.mod does not require directly",
		"go.mod requires z.example/o directly, and nothing imports it",
	}, moduleRule("module m.example/m\n\ngo 1.26\n\nrequire x.example/m v1.0.0\n\nrequire (\n\tx.example/m/v2 v2.0.0\n\tz.example/o v1.0.0\n)\n\nrequire (\n\ty.example/n v1.0.0 // indirect\n)\n", files))
}
