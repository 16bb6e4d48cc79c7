package ldap

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tool runs one of OpenLDAP's clients, which trusts the test's authority.
func (d *directory) tool(t *testing.T, name string, args ...string) (printed string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, append([]string{"-x", "-o", "nettimeout=10"}, args...)...)
	cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+d.authorityIn, "LDAPTLS_REQCERT=demand", "LDAPRC=none", "HOME="+t.TempDir())
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func TestOpenLDAPsClients(t *testing.T) {
	d := start(t, func(c *Config) { c.RequireTLS = true })
	plain, tls := "ldap://localhost:"+port(d.addr), "ldaps://localhost:"+port(d.tls)
	for _, way := range [][]string{{"-H", plain, "-ZZ"}, {"-H", tls}} {
		printed, err := d.tool(t, "ldapwhoami", append(way, "-D", alice, "-w", "alice-phone")...)
		require.NoError(t, err, printed)
		assert.Equal(t, "dn:"+alice+"\n", printed)
		printed, err = d.tool(t, "ldapwhoami", way...)
		require.NoError(t, err, printed)
		assert.Equal(t, "anonymous\n", printed)
		printed, err = d.tool(t, "ldapwhoami", append(way, "-D", alice, "-w", "wrong")...)
		assert.Error(t, err)
		assert.Contains(t, printed, "Invalid credentials (49)")
		printed, err = d.tool(t, "ldapsearch", append(way, "-LLL", "-D", serviceDN, "-w", serviceSecret, "-b", base, "(uid=alice)", "uid", "cn")...)
		require.NoError(t, err, printed)
		assert.Equal(t, "dn: "+alice+"\nuid: alice\ncn: alice\n\n", printed)
		printed, err = d.tool(t, "ldapsearch", append(way, "-D", serviceDN, "-w", serviceSecret, "-b", base, "(uid=*)")...)
		assert.Error(t, err)
		assert.Contains(t, printed, "result: 53 ")
	}
	printed, err := d.tool(t, "ldapwhoami", "-H", plain, "-D", alice, "-w", "alice-phone")
	assert.Error(t, err)
	assert.Contains(t, printed, "Confidentiality required (13)")
	printed, err = d.tool(t, "ldapsearch", "-H", plain, "-LLL", "-s", "base", "-b", "", "+")
	require.NoError(t, err, printed)
	assert.Contains(t, printed, "namingContexts: "+base+"\n")
	printed, err = d.tool(t, "ldapwhoami", "-H", "ldap://127.0.0.1:"+port(d.addr), "-ZZ", "-D", alice, "-w", "alice-phone")
	assert.Error(t, err, "the certificate is for another name")
	assert.NotContains(t, strings.ToLower(printed), "dn:uid=alice")
}
