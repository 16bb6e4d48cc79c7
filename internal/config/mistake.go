package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong, or could be better, in a configuration.
type Mistake struct {
	File    string // the configuration's name, as it was given
	Line    int    // 1-based; 0 where the key is absent
	Key     string // "server.listen"; empty where the file as a whole is meant
	Problem string // what is wrong, continuing the key: "is missing"
	Advice  string // what to do: "write …"
}

// Error returns the mistake on one line: file:line: key: problem: advice.
func (m Mistake) Error() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d", m.Line)
	}
	b.WriteString(": ")
	if m.Key != "" {
		b.WriteString(m.Key + " ")
	}
	b.WriteString(m.Problem)
	if m.Advice != "" {
		b.WriteString("; " + m.Advice)
	}
	return b.String()
}

// Mistakes is every mistake of one configuration, in the order of the file;
// keys that are absent come last.
type Mistakes []Mistake

// Error returns one mistake per line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Keys returns the keys that the mistakes are about.
func (ms Mistakes) Keys() []string {
	keys := make([]string, len(ms))
	for i, m := range ms {
		keys[i] = m.Key
	}
	return keys
}

// AsMistakes returns the mistakes inside err, and whether there are any.
func AsMistakes(err error) (Mistakes, bool) {
	var ms Mistakes
	ok := errors.As(err, &ms)
	return ms, ok
}

func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		switch {
		case a.Line == b.Line:
			return 0
		case a.Line == 0:
			return 1
		case b.Line == 0:
			return -1
		}
		return a.Line - b.Line
	})
	return ms
}
