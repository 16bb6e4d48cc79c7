package extauth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const good = `
hosts: [example.org]
host_config:
  example.org:
    auth_method: external
    extauth_program: "/usr/local/bin/trunkline extauth --secret-file /etc/ejabberd/trunkline.secret"
    extauth_pool_size: 4
    auth_use_cache: false
`

func TestCheckFindsWhatBreaks(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // a part of each finding
	}{
		"good":               {good, nil},
		"the whole file's":   {"hosts: [a, b]\nauth_method: [external]\nauth_use_cache: false\nextauth_program: trunkline extauth\nextauth_pool_size: 8\n", nil},
		"all caches off":     {strings.Replace(good, "auth_use_cache", "use_cache", 1), nil},
		"macro":              {strings.Replace(good, "auth_use_cache: false", "auth_use_cache: CACHE", 1) + "define_macro: {CACHE: false}\n", nil},
		"off":                {strings.Replace(good, "auth_use_cache: false", `auth_use_cache: "off"`, 1), nil},
		"another host":       {good + "  localhost: {auth_method: mnesia}\n", nil},
		"cache by default":   {strings.Replace(good, "    auth_use_cache: false\n", "", 1), []string{"example.org: ejabberd remembers passwords"}},
		"cache on":           {strings.Replace(good, "auth_use_cache: false", "auth_use_cache: true", 1), []string{"auth_use_cache: false"}},
		"host before file":   {strings.Replace(good, "auth_use_cache: false", "auth_use_cache: true", 1) + "auth_use_cache: false\n", []string{"remembers"}},
		"not use_cache":      {strings.Replace(good, "auth_use_cache: false", "auth_use_cache: true", 1) + "use_cache: false\n", []string{"remembers"}},
		"small pool":         {strings.Replace(good, "    extauth_pool_size: 4\n", "", 1), []string{"extauth_pool_size: 4"}},
		"no program":         {"hosts: [a]\nauth_method: external\nauth_use_cache: false\nextauth_pool_size: 4\n", []string{"extauth_program is missing"}},
		"another program":    {strings.Replace(good, "/usr/local/bin/trunkline extauth", "/opt/old.py", 1), []string{"something else"}},
		"nobody asks":        {"hosts: [a]\nauth_method: mnesia\n", []string{"No host asks"}},
		"jwt alone":          {"hosts: [a]\nauth_method: jwt\n", []string{"[jwt, external]", "No host asks"}},
		"fail2ban":           {good + "modules:\n  mod_fail2ban: {}\n", []string{"mod_fail2ban"}},
		"fail2ban with rule": {good + "modules:\n  mod_fail2ban: {access: not_gateway}\n", nil},
		"included":           {good + "include_config_file: /etc/ejabberd/more.yml\n", []string{"include_config_file"}},
		"empty":              {"", []string{"No host asks"}},
	} {
		found, _, err := Check([]byte(c.text))
		require.NoError(t, err, name)
		if assert.Len(t, found, len(c.want), "%s: %v", name, found) {
			for i, part := range c.want {
				assert.Contains(t, found[i], part, name)
			}
		}
	}
	_, _, err := Check([]byte("hosts: [a"))
	require.ErrorContains(t, err, "YAML")
}

// Whatever the file is, there is an answer.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("hosts: [a]\nauth_method: {}\nmodules: {mod_fail2ban: []}\ninclude_config_file: x"))
	f.Add([]byte(good + ending))
	f.Add([]byte("hosts: [a]\ndefine_macro: {A: [A, A, A]}\nacl: A\napi_permissions: A\nmodules: {mod_http_api: {}}\n"))
	f.Add([]byte("acl: {a: a}\napi_permissions: {x: {who: {acl: a, user: {b: c}}, what: '*'}}\nmodules: {mod_http_api: {}}\nnegotiation_timeout: 1 d"))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, looked, err := Check(text)
		require.False(t, err != nil && (found != nil || looked != nil))
		require.False(t, err == nil && len(looked) == 0)
		for _, sentence := range found {
			require.NotEmpty(t, sentence)
			require.NotContains(t, sentence, "%!", "a broken format")
		}
	})
}
