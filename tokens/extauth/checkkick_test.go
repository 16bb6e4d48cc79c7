package extauth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ending is what belongs to ending sessions.
const ending = `  localhost: {auth_method: mnesia}
negotiation_timeout: 30 s
listen:
  - {port: 5224, ip: "127.0.0.1", module: ejabberd_c2s, shaper: none}
  - {port: 5222, ip: "::", module: ejabberd_c2s, shaper: c2s_shaper}
  - {port: 5280, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {/api: mod_http_api}}
acl:
  loopback: {ip: 127.0.0.0/8}
  trunkline: {user: [trunkline@localhost]}
api_permissions:
  "console commands": {from: ejabberd_ctl, who: all, what: "*"}
  "trunkline":
    from: mod_http_api
    who: {access: {allow: [{acl: trunkline}, {acl: loopback}]}}
    what: [user_resources, kick_session]
modules: {mod_admin_extra: {}, mod_http_api: {}}
`

func TestCheckOfEndingSessions(t *testing.T) {
	whole := strings.Replace(good, "hosts: [example.org]", "hosts: [example.org, localhost]", 1) + ending
	replaced := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			require.Contains(t, whole, pairs[i])
		}
		return strings.NewReplacer(pairs...).Replace(whole)
	}
	const user = "{user: [trunkline@localhost]}"
	for name, c := range map[string]struct {
		text string
		want []string // a part of each finding
	}{
		"whole":                 {whole, nil},
		"handler alone":         {replaced(", mod_http_api: {}", ""), nil},
		"user as a map":         {replaced(user, "{user: [{trunkline: localhost}]}"), nil},
		"user alone":            {replaced(user, "{user: trunkline@localhost}"), nil},
		"user in the rule":      {replaced("{access: {allow: [{acl: trunkline}, {acl: loopback}]}}", "{user: trunkline@localhost}"), nil},
		"rule by name":          {replaced("{access: {allow: [{acl: trunkline}, {acl: loopback}]}}", "{access: kick}") + "access_rules: {kick: [{allow: trunkline}]}\n", nil},
		"a macro":               {replaced(user, "{user: WHO}") + "define_macro: {WHO: trunkline@localhost}\n", nil},
		"everything":            {replaced("[user_resources, kick_session]", `["*", "!stop"]`), nil},
		"two permissions":       {replaced("what: [user_resources, kick_session]", "what: user_resources\n  more: {who: {acl: trunkline}, what: kick_session}"), nil},
		"no permission":         {replaced("from: mod_http_api", "from: ejabberd_ctl"), []string{"let nobody call kick_session"}},
		"half a permission":     {replaced("[user_resources, kick_session]", "[kick_session]"), []string{"let nobody call user_resources"}},
		"forbidden":             {replaced("[user_resources, kick_session]", `["*", "!kick_session"]`), []string{"let nobody call kick_session"}},
		"on the chat domain":    {replaced(user, "{user: trunkline@example.org}"), []string{"trunkline@example.org) is on the chat domain"}},
		"on every domain":       {replaced(user, "{user: trunkline}"), nil},
		"on another domain":     {replaced(user, "{user: trunkline@other.example}"), []string{"is on no host"}},
		"address alone":         {replaced("{acl: trunkline}, ", ""), []string{"name no account"}},
		"two for one":           {replaced("what: [user_resources, kick_session]", "what: user_resources\n  more: {who: {user: a@localhost}, what: kick_session}"), []string{"name no account"}},
		"no commands":           {replaced("mod_admin_extra: {}, ", ""), []string{"mod_admin_extra is missing"}},
		"names itself":          {replaced(user, "trunkline"), []string{"name no account"}},
		"long negotiation":      {replaced("30 s", "2 minutes"), []string{`negotiation_timeout is "2 minutes"`}},
		"endless negotiation":   {replaced("30 s", "infinity"), []string{"infinity"}},
		"negotiation as it is":  {replaced("negotiation_timeout: 30 s\n", ""), []string{"negotiation_timeout is 2m0s unless it is set"}},
		"negotiation, no API":   {good + "negotiation_timeout: 31\n", []string{`negotiation_timeout is "31"`}},
		"mod_last":              {replaced("modules: {", "modules: {mod_last: {}, "), []string{"mod_last"}},
		"mod_last of a host":    {replaced("{auth_method: mnesia}", "{auth_method: mnesia, modules: {mod_last: {}}}"), []string{"mod_last"}},
		"mod_last, appended":    {whole + "append_host_config: {example.org: {modules: {mod_last: {}}}}\n", []string{"mod_last"}},
		"shaper":                {replaced("shaper: none", "shaper: c2s_shaper"), []string{"(port 5224) has a shaper"}},
		"shaper by a rule":      {replaced("shaper: none", "shaper: fast") + "shaper_rules: {fast: none}\n", nil},
		"no shaper":             {replaced(", shaper: none", ""), nil},
		"two on loopback":       {replaced("- {port: 5222", "- {port: 5299, ip: \"::1\", module: ejabberd_c2s, shaper: fast}\n  - {port: 5222"), nil},
		"no loopback, shaped":   {replaced(`ip: "127.0.0.1", module: ejabberd_c2s, shaper: none`, `module: ejabberd_c2s, shaper: fast`), []string{"(port 5224 or 5222)"}},
		"no loopback, unshaped": {replaced(`ip: "127.0.0.1", module: ejabberd_c2s`, `module: ejabberd_c2s`), nil},
		"a socket":              {replaced(`port: 5224, ip: "127.0.0.1"`, `port: "unix:/run/c2s"`, "shaper: none", "shaper: fast"), []string{"unix:/run/c2s"}},
	} {
		found, looked, err := Check([]byte(c.text))
		require.NoError(t, err, name)
		require.NotEmpty(t, looked)
		if assert.Len(t, found, len(c.want), "%s: %v", name, found) {
			for i, part := range c.want {
				assert.Contains(t, found[i], part, name)
			}
		}
	}
}

func TestWhatWasLookedAt(t *testing.T) {
	looked := func(text string) string {
		_, list, err := Check([]byte(text))
		require.NoError(t, err)
		require.False(t, slices.Contains(list, ""))
		return strings.Join(list, "\n")
	}
	all := looked(good + ending)
	for _, part := range []string{"of example.org", "port 5224", "mod_last", "api_permissions", "negotiation_timeout"} {
		assert.Contains(t, all, part)
	}
	few := looked(good)
	assert.Contains(t, few, "mod_http_api, which is not there: without it revoking a password does not end")
	for _, part := range []string{"listener", "api_permissions", "negotiation_timeout"} {
		assert.NotContains(t, few, part)
	}
}

func TestTimeouts(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"30": 30 * time.Second, "30 s": 30 * time.Second, "30s": 30 * time.Second, "500 ms": 500 * time.Millisecond, "1 m": time.Minute,
		"2 minutes": 2 * time.Minute, "1 hour": time.Hour, "10 sec": 10 * time.Second, "45 secs": 45 * time.Second, "1 d": 24 * time.Hour,
	} {
		d, ok := parseTimeout(s)
		assert.True(t, ok, s)
		assert.Equal(t, want, d, s)
	}
	for _, s := range []string{"", "infinity", "s", "3 weeks", "-1", "1.5 s", "99999999999999999999 d", "99999999999 d"} {
		_, ok := parseTimeout(s)
		assert.False(t, ok, s)
	}
}
