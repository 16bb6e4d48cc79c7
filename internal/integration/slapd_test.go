package integration

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDirectoryKnowsItsPeople(t *testing.T) {
	s := StartSlapd(t, SlapdConfig{Suffix: "dc=social,dc=example", People: map[string]string{"alice": "wonder land"}})
	person := "uid=alice," + s.Base()
	ask := func(password string) (string, error) {
		var out bytes.Buffer
		cmd := exec.Command("ldapwhoami", "-x", "-H", "ldap://"+s.Addr(), "-D", person, "-y", "/dev/stdin")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewBufferString(password), &out, &out
		err := cmd.Run()
		return out.String(), err
	}
	printed, err := ask("wonder land")
	require.NoError(t, err, printed)
	assert.Equal(t, "dn:"+person+"\n", printed)
	_, err = ask("wonderland")
	assert.Error(t, err)

	s.Kill()
	_, err = ask("wonder land")
	assert.Error(t, err)
	require.NoError(t, s.Start(t.Context()))
	reader, password := s.Reader()
	found, err := exec.Command("ldapsearch", "-x", "-LLL", "-H", "ldap://"+s.Addr(), "-D", reader, "-w", password,
		"-b", s.Base(), "(uid=alice)", "mail", "userPassword").CombinedOutput()
	require.NoError(t, err, string(found))
	assert.Equal(t, "dn: "+person+"\nmail: alice@example.org\n\n", string(found))
	s.Stop()
	assert.Contains(t, s.Log(), "(uid=alice)")
}
