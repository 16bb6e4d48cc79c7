package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// syntaxMistake is what stands in the way of reading the document at all.
func (r *reader) syntaxMistake(err error) Mistake {
	m := Mistake{File: r.src.Name, Problem: "is not TOML: " + err.Error(), Advice: "see https://toml.io, or start from: trunkline config example"}
	// The library's longer text shows the line itself, which may hold a secret.
	var de *toml.DecodeError
	if !errors.As(err, &de) {
		return m
	}
	m.Line, _ = de.Position()
	said := strings.TrimPrefix(de.Error(), "toml: ")
	m.Problem = "is not TOML here: " + said
	name := strings.Join(de.Key(), ".")
	switch {
	case strings.HasPrefix(said, "table ") && strings.HasSuffix(said, " already exists"):
		m.Problem = "has a second section [" + name + "] here"
		m.Advice = fmt.Sprintf("write the keys below it into the section [%s] that is there already, on line %d, and remove this line", name, r.lines[name])
	case strings.HasSuffix(said, " is already defined"):
		m.Problem = "has the key " + name + " twice in this section"
		m.Advice = "keep one of the two"
	case unquoted(said):
		m.Advice = `text needs quotes, and straight ones: address = "127.0.0.1:5222"`
	}
	return m
}

// unquoted reports whether the library said what it says of a value that is a
// text without quotes.
func unquoted(said string) bool {
	for _, part := range []string{"expected newline but got", "at start of value", "expected keyword", "strings must be quoted", "after array value"} {
		if strings.Contains(said, part) {
			return true
		}
	}
	return false
}

// index finds the line of each section and key, of its first where it stands
// twice. It ends where the document ceases to be TOML.
func (r *reader) index() {
	var p unstable.Parser
	p.Reset(r.src.Text)
	prefix, count := "", map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		name, line := keyOf(&p, e)
		switch e.Kind {
		case unstable.ArrayTable:
			count[name]++
			name += "." + strconv.Itoa(count[name])
			fallthrough
		case unstable.Table:
			prefix = name + "."
		case unstable.KeyValue:
			name = prefix + name
		}
		if r.lines[name] == 0 {
			r.lines[name] = line
		}
	}
}

func keyOf(p *unstable.Parser, e *unstable.Node) (name string, line int) {
	var parts []string
	for it := e.Key(); it.Next(); {
		n := it.Node()
		parts = append(parts, string(n.Data))
		if line == 0 {
			line = p.Shape(n.Raw).Start.Line
		}
	}
	return strings.Join(parts, "."), line
}
