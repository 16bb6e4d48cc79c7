package ldap

import (
	"slices"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// search is a search of the whole tree for all attributes.
func search(filter string) *goldap.SearchRequest {
	return goldap.NewSearchRequest(base, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 0, 0, false, filter, nil, nil)
}

func TestFilters(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	const refused = goldap.LDAPResultUnwillingToPerform
	for _, c := range []struct {
		filter string
		code   int
		found  string
	}{
		{"(uid=alice)", 0, alice},
		{"(UID=Alice)", 0, alice},
		{"(userid=alice)", 0, alice},
		{"(0.9.2342.19200300.100.1.1=alice)", 0, alice},
		{"(&(uid=bob)(objectClass=*))", 0, bob},
		{"(&(objectClass=inetOrgPerson)(uid=bob))", 0, bob},
		{"(&(&(objectClass=person))(&(uid=bob)(objectclass=TOP)))", 0, bob},
		{"(&(uid=bob))", 0, bob},
		{"(uid=carol)", 0, ""},
		{"(&(uid=bob)(objectClass=posixAccount))", 0, ""},
		// What means something in a filter is a letter like any other in a value.
		{`(uid=\2a)`, 0, ""},
		{`(uid=bob\29\28uid=\2a)`, 0, ""},
		{`(uid=alice\00)`, 0, ""},
		{`(uid= alice)`, 0, ""},
		{`(uid=alice\20)`, 0, ""},
		{`(uid=\ff\fe)`, 0, ""},
		{`(uid=)`, 0, ""},
		// An injection that succeeded, and everything else.
		{"(&(uid=bob)(uid=*))", refused, ""},
		{"(&(uid=bob)(uid=alice))", refused, ""},
		{"(&(uid=bob)(uid=bob))", refused, ""},
		{"(&(uid=bob)(mail=*))", refused, ""},
		{"(&(uid=bob)(mail=bob@example.org))", refused, ""},
		{"(uid=*)", refused, ""},
		{"(uid=a*)", refused, ""},
		{"(uid=*lice)", refused, ""},
		{"(objectClass=*)", refused, ""},
		{"(objectClass=person)", refused, ""},
		{"(cn=alice)", refused, ""},
		{"(uid;lang-de=alice)", refused, ""},
		{"(|(uid=alice)(uid=bob))", refused, ""},
		{"(|(uid=alice))", refused, ""},
		{"(!(uid=alice))", refused, ""},
		{"(&(uid=alice)(!(uid=bob)))", refused, ""},
		{"(&(uid=alice)(|(uid=bob)(objectClass=*)))", refused, ""},
		{"(uid>=a)", refused, ""},
		{"(uid<=z)", refused, ""},
		{"(uid~=alice)", refused, ""},
		{"(uid:caseExactMatch:=alice)", refused, ""},
		{"(:dn:=alice)", refused, ""},
		{"(&)", refused, ""},
		{"(|)", refused, ""},
	} {
		result, err := client.Search(search(c.filter))
		assert.Equal(t, c.code, code(err), "%s: %v", c.filter, err)
		assert.Equal(t, c.found, found(result), c.filter)
	}
	names := []string{}
	for _, q := range d.core.questions() {
		names = append(names, q.User)
	}
	slices.Sort(names)
	assert.Equal(t, []string{" alice", "*", "alice", "alice", "alice", "alice", "alice ", "bob", "bob", "bob", "bob", "bob", "bob)(uid=*", "carol"}, names,
		"what the core was asked about")
}

// found is the DN of the one entry, "" for none.
func found(r *goldap.SearchResult) string {
	if r == nil || len(r.Entries) == 0 {
		return ""
	}
	if len(r.Entries) > 1 {
		return "more than one"
	}
	return r.Entries[0].DN
}

func TestFilterOfAnUnknownKindIsRefused(t *testing.T) {
	d := start(t, nil)
	r := d.raw(t)
	r.send(t, message(1, bindOp(3, serviceDN, serviceSecret)))
	r.expect(t, 1, goldap.ApplicationBindResponse, 0)
	r.send(t, message(2, searchOp(contextString(20, "?"))))
	r.expect(t, 2, goldap.ApplicationSearchResultDone, goldap.LDAPResultUnwillingToPerform)
}

func TestBaseAndScope(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	const one, sub, self = goldap.ScopeSingleLevel, goldap.ScopeWholeSubtree, goldap.ScopeBaseObject
	for _, c := range []struct {
		base   string
		scope  int
		filter string
		code   int
		found  string
	}{
		{base, one, "(uid=alice)", 0, alice},
		{"OU=People, DC=social,DC=example", one, "(uid=alice)", 0, alice},
		{base, self, "(uid=alice)", 0, ""},
		{"dc=social,dc=example", sub, "(uid=alice)", 0, alice},
		{"dc=social,dc=example", one, "(uid=alice)", 0, ""},
		{"dc=example", sub, "(uid=alice)", 0, alice},
		{"", sub, "(uid=alice)", 0, alice},
		{alice, self, "(objectClass=*)", 0, alice},
		{alice, sub, "(objectClass=*)", 0, alice},
		{alice, self, "(uid=ALICE)", 0, alice},
		{alice, self, "(uid=bob)", 0, ""},
		{alice, one, "(objectClass=*)", 0, ""},
		{"uid=carol," + base, self, "(objectClass=*)", goldap.LDAPResultNoSuchObject, ""},
		{base, self, "(objectClass=*)", goldap.LDAPResultUnwillingToPerform, ""},
		{"ou=rooms,dc=social,dc=example", sub, "(uid=alice)", goldap.LDAPResultNoSuchObject, ""},
		{"dc=org", sub, "(uid=alice)", goldap.LDAPResultNoSuchObject, ""},
		{"people", sub, "(uid=alice)", goldap.LDAPResultInvalidDNSyntax, ""},
	} {
		r := search(c.filter)
		r.BaseDN, r.Scope = c.base, c.scope
		result, err := client.Search(r)
		assert.Equal(t, c.code, code(err), "%+v: %v", c, err)
		assert.Equal(t, c.found, found(result), "%+v", c)
	}
}

func TestWhoMayRead(t *testing.T) {
	d := start(t, nil)
	const forbidden = goldap.LDAPResultInsufficientAccessRights
	stranger := d.dial(t)
	for _, filter := range []string{"(uid=alice)", "(uid=carol)", "(uid=*)", "(objectClass=*)"} {
		_, err := stranger.Search(search(filter))
		assert.Equal(t, forbidden, code(err), filter)
	}
	require.NoError(t, stranger.UnauthenticatedBind(""))
	_, err := stranger.Search(search("(uid=alice)"))
	assert.Equal(t, forbidden, code(err))
	assert.Empty(t, d.core.questions())

	person := d.dial(t)
	require.NoError(t, person.Bind(alice, "alice-phone"))
	own, err := person.Search(search("(uid=Alice)"))
	require.NoError(t, err)
	assert.Equal(t, alice, found(own))
	for _, filter := range []string{"(uid=bob)", "(uid=carol)"} {
		_, err = person.Search(search(filter))
		assert.Equal(t, forbidden, code(err), filter)
	}
	r := search("(objectClass=*)")
	r.BaseDN = bob
	_, err = person.Search(r)
	assert.Equal(t, forbidden, code(err))
}

func TestAttributes(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	all := map[string][]string{"objectClass": personClasses, "uid": {"alice"}, "cn": {"alice"}, "sn": {"alice"}}
	for _, c := range []struct {
		names []string
		want  map[string][]string
	}{
		{nil, all},
		{[]string{"*"}, all},
		{[]string{"*", "uid", "+"}, all},
		{[]string{"uid"}, map[string][]string{"uid": {"alice"}}},
		{[]string{"UID", "mail", "userPassword"}, map[string][]string{"uid": {"alice"}}},
		{[]string{"2.5.4.0"}, map[string][]string{"objectClass": personClasses}},
		{[]string{"1.1"}, map[string][]string{}},
		{[]string{"+"}, map[string][]string{}},
	} {
		r := search("(uid=alice)")
		r.Attributes = c.names
		r.SizeLimit = 1
		result, err := client.Search(r)
		require.NoError(t, err)
		assert.Equal(t, c.want, attributes(result), "%v", c.names)
	}
	r := search("(uid=alice)")
	r.TypesOnly = true
	result, err := client.Search(r)
	require.NoError(t, err)
	assert.Equal(t, map[string][]string{"objectClass": {}, "uid": {}, "cn": {}, "sn": {}}, attributes(result))
}

func attributes(r *goldap.SearchResult) map[string][]string {
	got := map[string][]string{}
	for _, e := range r.Entries {
		for _, a := range e.Attributes {
			got[a.Name] = append([]string{}, a.Values...)
		}
	}
	return got
}

func TestRootDSE(t *testing.T) {
	d := start(t, func(c *Config) { c.RequireTLS = true })
	client := d.dial(t)
	r := goldap.NewSearchRequest("", goldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil)
	result, err := client.Search(r)
	require.NoError(t, err)
	assert.Equal(t, map[string][]string{"objectClass": {"top"}}, attributes(result))
	r.Attributes = []string{"+"}
	result, err = client.Search(r)
	require.NoError(t, err)
	assert.Equal(t, map[string][]string{
		"namingContexts": {base}, "supportedLDAPVersion": {"3"}, "vendorName": {"Trunkline"},
		"supportedExtension": {oidWhoAmI, oidStartTLS},
	}, attributes(result))
	r.Filter = "(uid=alice)"
	_, err = client.Search(r)
	assert.Equal(t, goldap.LDAPResultUnwillingToPerform, code(err))
	r.Filter = "(objectClass=person)"
	result, err = client.Search(r)
	require.NoError(t, err)
	assert.Empty(t, result.Entries)
	assert.Empty(t, d.core.questions())
}

func TestNothingIsWritten(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	const refused = goldap.LDAPResultUnwillingToPerform
	add := goldap.NewAddRequest("uid=mallory,"+base, nil)
	add.Attribute("uid", []string{"mallory"})
	assert.Equal(t, refused, code(client.Add(add)))
	modify := goldap.NewModifyRequest(alice, nil)
	modify.Replace("userPassword", []string{"mine"})
	assert.Equal(t, refused, code(client.Modify(modify)))
	assert.Equal(t, refused, code(client.Del(goldap.NewDelRequest(alice, nil))))
	assert.Equal(t, refused, code(client.ModifyDN(goldap.NewModifyDNRequest(alice, "uid=mallory", true, ""))))
	_, err := client.Compare(alice, "uid", "alice")
	assert.Equal(t, refused, code(err))
	_, err = client.PasswordModify(goldap.NewPasswordModifyRequest(alice, "alice-phone", "mine"))
	assert.Equal(t, refused, code(err))
	_, err = client.Extended(&goldap.ExtendedRequest{Name: "1.3.6.1.1.8"}) // cancel
	assert.Equal(t, goldap.LDAPResultProtocolError, code(err))
	result, err := client.Search(search("(uid=alice)"))
	require.NoError(t, err)
	assert.Equal(t, alice, found(result))
}

func TestControls(t *testing.T) {
	d := start(t, nil)
	client := d.service(t)
	r := search("(uid=alice)")
	r.Controls = []goldap.Control{goldap.NewControlString("1.2.3.4", true, "x")}
	_, err := client.Search(r)
	assert.Equal(t, goldap.LDAPResultUnavailableCriticalExtension, code(err))
	r.Controls = []goldap.Control{goldap.NewControlString("1.2.3.4", false, "x"), goldap.NewControlPaging(10)}
	result, err := client.Search(r)
	require.NoError(t, err)
	assert.Equal(t, alice, found(result))
}

func TestAbandonAndUnbind(t *testing.T) {
	d := start(t, nil)
	r := d.raw(t)
	abandon := ber.NewInteger(ber.ClassApplication, ber.TypePrimitive, goldap.ApplicationAbandonRequest, int64(1), "")
	r.send(t, slices.Concat(
		message(1, bindOp(3, serviceDN, serviceSecret)), message(2, abandon), message(3, searchOp(compiled(t, "(uid=carol)")))))
	r.expect(t, 1, goldap.ApplicationBindResponse, 0)
	r.expect(t, 3, goldap.ApplicationSearchResultDone, 0)
	r.send(t, message(4, ber.Encode(ber.ClassApplication, ber.TypePrimitive, goldap.ApplicationUnbindRequest, nil, "")))
	r.expectEnd(t)
}

func TestPersonsAreAskedAboutUnderTheirOwnName(t *testing.T) {
	d := start(t, nil)
	d.core.says(backend.Yes, "")
	client := d.service(t)
	result, err := client.Search(search(`(uid=Ann\2c \22the one\22 +\3cO'Neil\3e\5c#)`))
	require.NoError(t, err)
	dn := `uid=ann\, \"the one\" \+\<o'neil\>\\#,` + base
	assert.Equal(t, dn, found(result))
	require.NoError(t, client.Bind(found(result), "whatever"))
	asked := d.core.questions()
	assert.Equal(t, `ann, "the one" +<o'neil>\#`, asked[1].User)
	assert.Equal(t, asked[0].User, asked[1].User)
}
