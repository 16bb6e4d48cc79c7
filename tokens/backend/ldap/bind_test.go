package ldap

import (
	"errors"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/tokens/backend"
)

func asError(err error, target any) bool { return errors.As(err, target) }

func TestWhoMayBind(t *testing.T) {
	for name, c := range map[string]struct {
		dn, password string
		code         int
		whoami       string
	}{
		"service":                   {serviceDN, serviceSecret, 0, "dn:" + serviceDN},
		"service, other spelling":   {"CN = Service , DC=social,dc=EXAMPLE", serviceSecret, 0, "dn:" + serviceDN},
		"service, wrong":            {serviceDN, serviceSecret + "x", goldap.LDAPResultInvalidCredentials, ""},
		"service, person's":         {serviceDN, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"person":                    {alice, "alice-phone", 0, "dn:" + alice},
		"person, second password":   {alice, "alice-laptop", 0, "dn:" + alice},
		"person, capitals":          {"UID=ALICE,OU=People,DC=Social,DC=Example", "alice-phone", 0, "dn:" + alice},
		"person, number":            {"0.9.2342.19200300.100.1.1=alice," + base, "alice-phone", 0, "dn:" + alice},
		"person, escaped":           {`uid=\61lice,` + base, "alice-phone", 0, "dn:" + alice},
		"person, wrong":             {alice, "bob-phone", goldap.LDAPResultInvalidCredentials, ""},
		"person, capital password":  {alice, "Alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"person, service's":         {alice, serviceSecret, goldap.LDAPResultInvalidCredentials, ""},
		"nobody":                    {"uid=carol," + base, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"no uid":                    {"cn=alice," + base, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"two uids":                  {"uid=alice+uid=bob," + base, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"two attributes":            {"uid=alice+cn=alice," + base, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"below a person":            {"uid=alice," + bob, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"elsewhere":                 {"uid=alice,dc=social,dc=example", "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"the base":                  {base, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"star":                      {"uid=*," + base, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"injection":                 {`uid=bob)(uid=\2a,` + base, "bob-phone", goldap.LDAPResultInvalidCredentials, ""},
		"zero byte":                 {`uid=alice\00,` + base, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"no value":                  {"uid=," + base, "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
		"no DN":                     {"alice", "alice-phone", goldap.LDAPResultInvalidDNSyntax, ""},
		"no UTF-8":                  {"uid=\xff\xfe," + base, "alice-phone", goldap.LDAPResultInvalidDNSyntax, ""},
		"unescaped quote":           {`uid="alice",` + base, "alice-phone", goldap.LDAPResultInvalidDNSyntax, ""},
		"no password, person":       {alice, "", goldap.LDAPResultUnwillingToPerform, ""},
		"no password, service":      {serviceDN, "", goldap.LDAPResultUnwillingToPerform, ""},
		"anonymous":                 {"", "", 0, ""},
		"a password without a name": {"", "alice-phone", goldap.LDAPResultInvalidCredentials, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, nil)
			client := d.dial(t)
			_, err := client.SimpleBind(&goldap.SimpleBindRequest{Username: c.dn, Password: c.password, AllowEmptyPassword: true})
			assert.Equal(t, c.code, code(err), "%v", err)
			who, err := client.WhoAmI(nil)
			require.NoError(t, err)
			assert.Equal(t, c.whoami, who.AuthzID)
			for _, secret := range []string{serviceSecret, "alice-phone", "bob-phone"} {
				assert.NotContains(t, d.log.String(), secret)
			}
		})
	}
}

func TestTheCoreHearsAllThereIsToKnow(t *testing.T) {
	d := start(t, nil)
	require.NoError(t, d.dial(t).Bind(alice, "alice-phone"))
	assert.Equal(t, []backend.Question{{Front: "ldap", Caller: "127.0.0.1", Service: "xmpp", User: "alice", Secret: "alice-phone", Prompt: true}}, d.core.questions())
	assert.Error(t, d.dial(t).Bind(serviceDN, "a wrong one"))
	assert.Len(t, d.core.questions(), 1, "the service account is no person")
	assert.Equal(t, []backend.Event{{Front: "ldap", Caller: "127.0.0.1", Op: "service", Outcome: "no", Reason: "unknown_secret"}}, d.core.recorded)
}

func TestAFailedBindLeavesNobody(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	assert.Error(t, client.Bind(alice, "wrong"))
	who, err := client.WhoAmI(nil)
	require.NoError(t, err)
	assert.Empty(t, who.AuthzID)
	_, err = client.Search(search("(uid=alice)"))
	assert.Equal(t, goldap.LDAPResultInsufficientAccessRights, code(err))
}

func TestCannotTellIsNeverNo(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	for reason, want := range map[string]int{
		backend.ReasonTrouble: goldap.LDAPResultUnavailable, backend.ReasonLate: goldap.LDAPResultUnavailable,
		backend.ReasonThrottled: goldap.LDAPResultBusy, backend.ReasonBusy: goldap.LDAPResultBusy,
	} {
		d.core.says(backend.Unknown, reason)
		assert.Equal(t, want, code(d.dial(t).Bind(alice, "alice-phone")), reason)
	}
	_, err := client.Search(search("(uid=alice)"))
	assert.Equal(t, goldap.LDAPResultUnavailable, code(err))
	d.core.says("", "")
	found, err := client.Search(search("(uid=alice)"))
	require.NoError(t, err)
	assert.Len(t, found.Entries, 1)
}

func TestOnlySimpleBindOfVersionThree(t *testing.T) {
	d := start(t, nil)
	assert.Equal(t, goldap.LDAPResultAuthMethodNotSupported, code(d.dial(t).ExternalBind()))
	r := d.raw(t)
	r.send(t, message(1, bindOp(2, alice, "alice-phone")))
	r.expect(t, 1, goldap.ApplicationBindResponse, goldap.LDAPResultProtocolError)
	r.send(t, message(2, bindOp(3, alice, "alice-phone")))
	r.expect(t, 2, goldap.ApplicationBindResponse, goldap.LDAPResultSuccess)
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	good := Config{Core: &core{}, Base: base, ServiceDN: serviceDN, ServiceSecret: []byte(serviceSecret)}
	_, err := New(good)
	require.NoError(t, err)
	for want, change := range map[string]func(*Config){
		"no core":                       func(c *Config) { c.Core = nil },
		`the base "people"`:             func(c *Config) { c.Base = "people" },
		`the base ""`:                   func(c *Config) { c.Base = "" },
		`the service account ""`:        func(c *Config) { c.ServiceDN = "" },
		"the name of a person":          func(c *Config) { c.ServiceDN = "uid=service," + base },
		"secret has 15 bytes":           func(c *Config) { c.ServiceSecret = []byte("123456789012345") },
		"TLS is required, and there is": func(c *Config) { c.RequireTLS = true },
	} {
		cfg := good
		change(&cfg)
		_, err := New(cfg)
		assert.ErrorContains(t, err, want)
	}
}
