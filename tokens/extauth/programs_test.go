package extauth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProgramsAsTheyStandThere(t *testing.T) {
	const line = "/usr/local/bin/trunkline extauth --secret-file /etc/ejabberd/trunkline.secret"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"one host":      {good, []string{line}},
		"case is kept":  {strings.Replace(good, "/usr/local", "/Opt", 1), []string{strings.Replace(line, "/usr/local", "/Opt", 1)}},
		"a macro":       {strings.Replace(good, `"`+line+`"`, "ASK", 1) + "define_macro: {ASK: " + line + "}\n", []string{line}},
		"each once":     {"hosts: [a, b]\nauth_method: [external]\nextauth_program: x extauth\n", []string{"x extauth"}},
		"nobody asks":   {"hosts: [a]\nauth_method: mnesia\nextauth_program: x extauth\n", nil},
		"no program":    {"hosts: [a]\nauth_method: external\n", nil},
		"not even text": {"hosts: [a]\nauth_method: external\nextauth_program: [1]\n", nil},
	} {
		programs, err := Programs([]byte(c.text))
		require.NoError(t, err, name)
		assert.Equal(t, c.want, programs, name)
	}
	_, err := Programs([]byte("\t"))
	require.Error(t, err)
}
