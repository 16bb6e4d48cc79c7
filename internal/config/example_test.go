package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
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

// keyOf32 is a key that is different for each name.
func keyOf32(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func readExampleSecret(path string) ([]byte, error) {
	switch name := strings.TrimPrefix(path, "/etc/trunkline/"); name {
	case "mastodon_db_url":
		return []byte("postgres://reader@127.0.0.1/mastodon"), nil
	case "store_password":
		return nil, fs.ErrNotExist
	default:
		return []byte(keyOf32(name)), nil
	}
}

// The example works as it stands, and with every comment mark before a key
// removed: so each key, default and example in it is one that Parse takes.
func TestExampleIsAConfiguration(t *testing.T) {
	text := example(t)
	c, err := Parse(Source{Name: "example", Text: []byte(text), ReadFile: readExampleSecret})
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)

	all := regexp.MustCompile(`(?m)^# ([a-z_]+ = |\[\[)`).ReplaceAllString(text, "$1")
	// A file needs no password.
	all = regexp.MustCompile(`(?m)^store_password_file.*$`).ReplaceAllString(all, "")
	full, err := Parse(Source{Name: "example", Text: []byte(all), ReadFile: readExampleSecret})
	require.NoError(t, err)
	assert.NotEmpty(t, full.Rooms)
	for _, shown := range []func(*Config) any{
		func(c *Config) any { return c.Session }, func(c *Config) any { return c.Log },
		func(c *Config) any { return c.Standing }, func(c *Config) any { return c.Audit },
		func(c *Config) any { return c.AuthHTTP }, func(c *Config) any { return c.OAuth.ClientID },
		func(c *Config) any { return c.LDAP.Base }, func(c *Config) any { return c.LDAP.ServiceDN },
		func(c *Config) any { return c.Server.Listen }, func(c *Config) any { return c.Server.PrivateListen },
		func(c *Config) any { return c.XMPP.MaxStanzaBytes }, func(c *Config) any { return c.Store },
	} {
		assert.Equal(t, shown(c), shown(full), "what the example shows as defaults are the defaults")
	}
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
