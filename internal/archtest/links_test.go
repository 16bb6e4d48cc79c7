package archtest

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	fence   = regexp.MustCompile("^ {0,3}```")
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`^#{1,6} +(.+?)[ #]*$`)
	inline  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	quoted  = regexp.MustCompile("`[^`]*`")
)

// prose calls f with each line of a text that is not in a block of code.
func prose(text string, f func(number int, line string)) {
	code := false
	for i, line := range strings.Split(text, "\n") {
		if fence.MatchString(line) {
			code = !code
		} else if !code {
			f(i+1, line)
		}
	}
}

// anchors are what can be linked to in a text, as GitHub names its headings.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	prose(text, func(_ int, line string) {
		m := heading.FindStringSubmatch(line)
		if m == nil {
			return
		}
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, inline.ReplaceAllString(m[1], "$1"))
		unique := name
		for n := 1; names[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", name, n)
		}
		names[unique] = true
	})
	return names
}

// linkRule complains about links of Markdown files to files or headings of ours
// that do not exist.
func linkRule(root fs.FS) ([]string, error) {
	var bad []string
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && outside(root, name, d.Name()):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".md":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		prose(string(text), func(number int, line string) {
			for _, m := range link.FindAllStringSubmatch(quoted.ReplaceAllString(line, ""), -1) {
				if problem := follow(root, name, m[1]); problem != "" {
					bad = append(bad, fmt.Sprintf("%s:%d: %s: %s", name, number, m[1], problem))
				}
			}
		})
		return nil
	})
	return bad, err
}

// follow says what is wrong with a link in a file, "" if nothing.
func follow(root fs.FS, from, target string) string {
	if strings.Contains(target, ":") {
		return "" // to elsewhere
	}
	file, anchor, anchored := strings.Cut(target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
	}
	if _, err := fs.Stat(root, to); err != nil {
		return "there is no such file"
	}
	if !anchored {
		return ""
	}
	text, err := fs.ReadFile(root, to)
	if err != nil || !anchors(string(text))[anchor] {
		return "there is no such heading"
	}
	return ""
}

func TestLinks(t *testing.T) {
	bad, err := linkRule(os.DirFS("../.."))
	require.NoError(t, err)
	assert.Empty(t, bad)
}

func TestLinkRuleFindsWhatItLooksFor(t *testing.T) {
	root := fstest.MapFS{
		"README.md": {Data: []byte("[a](docs/a.md) [b](docs/b.md) [c](docs/a.md#two-words)\n" +
			"[d](docs/a.md#none) [e](#top) [f](https://example.org/x#y) `[g](h)`\n# Top\n```sh\n[i](j)\n# Code\n```\n[k](#code)\n")},
		"docs/a.md": {Data: []byte("# Two *words*\n## `x_y`: [up](../README.md#top), and\n## Same\n## Same\n[l](#x_y-up-and) [m](#same-1) [n](#same-2) [o](../docs)\n")},
	}
	bad, err := linkRule(root)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"README.md:1: docs/b.md: there is no such file",
		"README.md:2: docs/a.md#none: there is no such heading",
		"README.md:8: #code: there is no such heading",
		"docs/a.md:5: #same-2: there is no such heading",
	}, bad)
}
