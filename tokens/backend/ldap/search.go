package ldap

import (
	"context"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// personClasses are the object classes of a person's entry (RFC 4519, RFC 2798).
var personClasses = []string{"top", "person", "organizationalPerson", "inetOrgPerson"}

var (
	forbidden   = result{goldap.LDAPResultInsufficientAccessRights, "bind as the service account to search"}
	onlyHerself = result{goldap.LDAPResultInsufficientAccessRights, "a person may read her own entry only"}
	unanswered  = result{goldap.LDAPResultUnwillingToPerform, "a filter must ask for one uid, alone or in an and with tests for objectClass"}
	noSuch      = result{goldap.LDAPResultNoSuchObject, "no entry has this name"}
)

// answerSearch answers a search (RFC 4511 section 4.5) with at most one entry.
func (c *conn) answerSearch(ctx context.Context, r request) error {
	found, res := c.search(ctx, r.search)
	if found != nil {
		if err := c.write(r.id, encodeEntry(*found, r.search.typesOnly)); err != nil {
			return err
		}
	}
	return c.write(r.id, encodeResult(goldap.ApplicationSearchResultDone, res))
}

// search returns the entry that a search finds, with the attributes it wants,
// or nil.
func (c *conn) search(ctx context.Context, r searchRequest) (*entry, result) {
	if r.base == "" && r.scope == goldap.ScopeBaseObject {
		return c.rootDSE(r)
	}
	switch {
	case c.server.requireTLS && !c.encrypted:
		return nil, unprotected
	case c.who.stranger():
		return nil, forbidden
	case r.filter.other || len(r.filter.uids) > 1:
		return nil, unanswered
	}
	name, asked, res := c.target(r)
	switch {
	case res != success:
		return nil, res
	case asked == noEntry:
		return nil, success
	case !c.who.service && name != c.who.person:
		return nil, onlyHerself
	}
	switch c.server.core.Exists(ctx, c.question(name)) {
	case backend.Yes:
	case backend.No:
		if asked == byDN {
			return nil, noSuch
		}
		return nil, success
	default:
		return nil, unavailable
	}
	if !r.filter.isClassOf(personClasses) {
		return nil, success
	}
	return &entry{dn: c.server.personDN(name), attributes: wanted(r.attributes, personAttributes(name), nil)}, success
}

// asking says how a search came to its one candidate.
type asking int

const (
	noEntry asking = iota // nobody can be found
	byUID
	byDN // the search's base is the entry itself
)

// target finds the one person whom base, scope and filter leave.
func (c *conn) target(r searchRequest) (name string, how asking, res result) {
	base, err := parseDN(r.base)
	if err != nil {
		return "", noEntry, result{goldap.LDAPResultInvalidDNSyntax, "the base is not a distinguished name"}
	}
	uid, uidOK := "", false
	if len(r.filter.uids) == 1 {
		uid, uidOK = normalName(r.filter.uids[0])
	}
	if entry, isPerson := c.server.person(base); isPerson {
		switch {
		case r.scope == goldap.ScopeSingleLevel:
			return "", noEntry, success // nothing is below a person
		case len(r.filter.uids) == 1 && uid != entry:
			return "", noEntry, success
		}
		return entry, byDN, success
	}
	var inScope bool
	switch {
	case len(r.filter.uids) == 0:
		return "", noEntry, unanswered
	case base.EqualFold(c.server.base):
		inScope = r.scope != goldap.ScopeBaseObject
	case base.AncestorOfFold(c.server.base):
		inScope = r.scope == goldap.ScopeWholeSubtree
	default:
		return "", noEntry, noSuch
	}
	if !inScope || !uidOK {
		return "", noEntry, success
	}
	return uid, byUID, success
}

// personAttributes are those that the classes demand and that every server
// understands; sn must be there, and we know no other name.
func personAttributes(name string) []attribute {
	return []attribute{{"objectClass", personClasses}, {"uid", []string{name}}, {"cn", []string{name}}, {"sn", []string{name}}}
}

// rootDSE is what the server tells everybody about itself (RFC 4512 section
// 5.1). All but the class is operational and comes only when it is asked for.
func (c *conn) rootDSE(r searchRequest) (*entry, result) {
	classes := []string{"top"}
	if r.filter.other || len(r.filter.uids) > 0 {
		return nil, unanswered
	}
	if !r.filter.isClassOf(classes) {
		return nil, success
	}
	extensions := []string{oidWhoAmI}
	if c.server.tls != nil {
		extensions = append(extensions, oidStartTLS)
	}
	operational := []attribute{
		{"namingContexts", []string{c.server.baseText}},
		{"supportedLDAPVersion", []string{"3"}},
		{"supportedExtension", extensions},
		{"vendorName", []string{"Trunkline"}},
	}
	return &entry{attributes: wanted(r.attributes, []attribute{{"objectClass", classes}}, operational)}, success
}

// wanted selects attributes as RFC 4511 section 4.5.1.8 has it: none named, or
// "*", means those of the user, "+" (RFC 3673) the operational ones.
func wanted(names []string, user, operational []attribute) []attribute {
	var list []attribute
	if len(names) == 0 || slices.Contains(names, "*") {
		list = append(list, user...)
	}
	if slices.Contains(names, "+") {
		list = append(list, operational...)
	}
	for _, a := range slices.Concat(user, operational) {
		named := slices.ContainsFunc(names, func(n string) bool {
			return strings.EqualFold(n, a.name) || a.name == "uid" && isUID(n) || a.name == "objectClass" && isObjectClass(n)
		})
		has := slices.ContainsFunc(list, func(l attribute) bool { return l.name == a.name })
		if named && !has {
			list = append(list, a)
		}
	}
	return list
}
