package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/tokens/backend"
	"github.com/trunkline-chat/trunkline/tokens/backend/ldap"
)

// These answer nothing: only what is configured is looked at here.
type (
	noVerifier   struct{ backend.Verifier }
	noMembership struct{ backend.Membership }
	noCore       struct{ ldap.Core }
)

// FuzzRoomsThatConfigTakes: what config check lets through is what the service
// starts with, and the other way round.
func FuzzRoomsThatConfigTakes(f *testing.F) {
	for _, seed := range [][3]string{
		{"tea@rooms.example.org", "local", "cake@rooms.example.org"}, {"*@rooms.example.org", "list:42@alice", "tea@rooms.example.org"},
		{"Tea@rooms.example.org", "list:alice", "tea@Rooms.example.org"}, {"t*a@x", "account:bob@", "x"}, {"tea@", "list:@alice", "*"},
		{"tea@x", "account:bob@other.example", "*@x"}, {"tea@x", "followers:b:b", "tea@x/y"}, {"tea@x", "mutuals:ſ", "a@ß"},
		{"tea@x", "list:x_-1@a", "@x"}, {"tea@x", "local:", "tea@[::1]"}, {"tea@x", "list:1@a@b", "tea@xn--a"}, {"Ⅰ@x", "moderators:", "ı@x."},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	core, err := backend.NewCore(backend.CoreConfig{Verifier: noVerifier{}, Domain: "social.example"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, first, rule, second string) {
		if !utf8.ValidString(first + rule + second) {
			return // no TOML
		}
		if !strings.Contains(first, "@") || !strings.Contains(second, "@") || strings.ContainsAny(first+second, "/") {
			return // rooms anywhere are for who uses the package
		}
		rooms := []backend.Room{{JID: first, Allow: []string{rule}}, {JID: second, Allow: []string{"local"}}}
		_, wrong := backend.MUC(core, rooms, noMembership{}, []byte("secret"))
		_, mistakes := config.Parse(config.Source{Name: "t", Text: roomsTOML(rooms)})
		if (wrong == nil) != (mistakes == nil) {
			t.Fatalf("%q: the service says %v, the configuration %v", rooms, wrong, mistakes)
		}
	})
}

// roomsTOML is a configuration with these rooms in it.
func roomsTOML(rooms []backend.Room) []byte {
	var b strings.Builder
	b.WriteString("[server]\npublic_url = \"https://chat.social.example\"\n[mastodon]\nurl = \"https://social.example\"\n[secrets]\n")
	for i, name := range []string{"data_keys", "token_key", "verify_secret", "muc_secret"} {
		value := strconv.Quote(strings.Repeat(string(rune('A'+4*i)), 43))
		if name == "data_keys" {
			value = "[" + value + "]"
		}
		fmt.Fprintf(&b, "%s = %s\n", name, value)
	}
	for _, r := range rooms {
		fmt.Fprintf(&b, "[[rooms]]\njid = %s\nallow = [%s]\n", tomlText(r.JID), tomlText(r.Allow[0]))
	}
	return []byte(b.String())
}

// tomlText writes each character as an escape.
func tomlText(s string) string {
	var b strings.Builder
	for _, c := range s {
		fmt.Fprintf(&b, `\U%08X`, c)
	}
	return `"` + b.String() + `"`
}

// What config check lets through as names of the directory is what the LDAP front
// starts with.
func TestDirectoryNamesThatConfigTakes(t *testing.T) {
	for names, right := range map[[2]string]bool{
		{"ou=people,dc=x", "cn=service,dc=x"}:                true,
		{"ou=people,dc=x", "cn=service,ou=people,dc=x"}:      true,
		{"ou=people,dc=x", "uid=service,ou=people,dc=x"}:     false,
		{"ou=people,dc=x", "USERID=service, OU=people,dc=X"}: false,
		{"people", "cn=service,dc=x"}:                        false,
		{"ou=people,dc=x", `cn="service",dc=x`}:              false,
	} {
		path := writeConfig(t, fmt.Sprintf("[ldap]\nbase = %q\nservice_dn = %q\n", names[0], names[1]))
		_, mistakes := config.Load(path, os.Getenv)
		_, wrong := ldap.New(ldap.Config{Core: noCore{}, Base: names[0], ServiceDN: names[1], ServiceSecret: make([]byte, 32)})
		require.Equal(t, right, mistakes == nil, "%v: %v", names, mistakes)
		require.Equal(t, right, wrong == nil, "%v: %v", names, wrong)
	}
}
