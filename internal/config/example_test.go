package config

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const committed = "../../contrib/trunkline.example.toml"

func example(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, WriteExample(&b))
	return b.String()
}

func TestCommittedExampleIsTheGeneratedOne(t *testing.T) {
	b, err := os.ReadFile(committed)
	require.NoError(t, err)
	assert.Equal(t, example(t), string(b), "run: make generate")
}

func readExampleSecret(path string) ([]byte, error) {
	return map[string][]byte{
		"/etc/trunkline/data_keys":     []byte(key(1)),
		"/etc/trunkline/token_key":     []byte(key(2)),
		"/etc/trunkline/verify_secret": []byte(key(3)),
	}[path], nil
}

// The example works as it stands, and with every comment mark before a key
// removed: so each key, default and example in it is one that Parse takes.
func TestExampleIsAConfiguration(t *testing.T) {
	text := example(t)
	c, err := Parse(Source{Name: "example", Text: []byte(text), ReadFile: readExampleSecret})
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)

	all := regexp.MustCompile(`(?m)^# ([a-z_]+ = )`).ReplaceAllString(text, "$1")
	full, err := Parse(Source{Name: "example", Text: []byte(all), ReadFile: readExampleSecret})
	require.NoError(t, err)
	full.XMPP.Address, full.Mastodon.MediaOrigins = c.XMPP.Address, c.Mastodon.MediaOrigins
	assert.Equal(t, c, full, "what the example shows as defaults are the defaults")
}

func TestEveryKeyIsDocumentedAndShown(t *testing.T) {
	text := example(t)
	for section, v := range sections(reflect.ValueOf(&Config{}).Elem()) {
		assert.Contains(t, text, "\n["+section+"]\n")
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := f.Tag.Get("toml")
			assert.Regexp(t, `^[a-z_]+$`, name)
			assert.Regexp(t, `\.$`, f.Tag.Get("doc"), section+"."+name)
			assert.Regexp(t, `(?m)^(# )?`+name+`(_file)? = `, text)
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		assert.LessOrEqual(t, len([]rune(line)), 80, line)
	}
}

// FuzzParse: whatever the document, Parse either explains itself by key or
// returns a configuration that names its own defaults and survives a second
// reading; and it never prints a secret.
func FuzzParse(f *testing.F) {
	f.Add(minimal())
	f.Add("[server]\nlisten=3\n[x]\ny=1\n")
	f.Add("server.listen = 'x'\n[[server]]\n")
	f.Add("secrets = {token_key_file = '/x', data_keys = ['a']}\n\"a.b\".c = 1979-05-27\n")
	f.Fuzz(func(t *testing.T, text string) {
		read := func(path string) ([]byte, error) { return []byte(key(9)), nil }
		src := Source{Name: "f", Text: []byte(text), ReadFile: read}
		c, err := Parse(src)
		if err != nil {
			ms, ok := AsMistakes(err)
			if !ok || len(ms) == 0 {
				t.Fatalf("not explained: %v", err)
			}
			for _, m := range ms {
				if m.Advice == "" || m.Problem == "" || m.Line > strings.Count(text, "\n")+1 {
					t.Fatalf("%#v", m)
				}
			}
			return
		}
		if c.Mastodon.Domain == "" || c.XMPP.Domain == "" || len(c.Secrets.DataKeys) == 0 {
			t.Fatalf("incomplete: %+v", c)
		}
		again, err := Parse(src)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("read twice, not the same: %v", err)
		}
	})
}
