package mastodontest

import (
	"fmt"
	"slices"
	"strings"
)

// State is what an instance can do to a person, or a person to themselves.
type State string

// The states.
const (
	Active      State = "active"
	Suspended   State = "suspended"
	Disabled    State = "disabled"
	Moved       State = "moved"
	Unconfirmed State = "unconfirmed"
	Pending     State = "pending"
	Deleted     State = "deleted"
)

// Field is one row of a person's profile table; Value is HTML.
type Field struct{ Name, Value string }

type person struct {
	id       string
	username string // case as typed
	domain   string // "" = local
	name     string
	note     string
	fields   []Field
	state    State
	bot      bool
	follows  []follow // oldest first
	theme    appearance
}

// follow is one row of the follows table: paging goes by its id, not the person's.
type follow struct {
	id string
	of *person
}

func (p *person) acct() string {
	if p.domain == "" {
		return p.username
	}
	return p.username + "@" + p.domain
}

type people struct {
	mode    Mode
	domain  string
	byID    map[string]*person
	byAcct  map[string]*person // lower-cased acct
	ids     int
	follows int
}

func xmppField(addr string) Field {
	return Field{"XMPP", `<a href="xmpp:` + addr + `" target="_blank" rel="nofollow noopener me" translate="no">` + addr + `</a>`}
}

func webField(site string) Field {
	return Field{"Web", `<a href="https://` + site + `" target="_blank" rel="nofollow noopener me" translate="no">` +
		`<span class="invisible">https://</span><span class="">` + site + `</span><span class="invisible"></span></a>`}
}

func (ps *people) init(mode Mode, domain string) {
	ps.mode, ps.domain = mode, domain
	ps.byID, ps.byAcct = map[string]*person{}, map[string]*person{}
	alice := ps.add(&person{username: "alice", name: "Alice Moreau", note: "<p>Bakes bread, repairs bicycles, reads maps.</p>", fields: []Field{webField("alice.example")}})
	bob := ps.add(&person{username: "bob", name: "Bob Lindqvist", note: "<p>Lighthouse keeper, retired. Weather, mostly.</p>"})
	carol := ps.add(&person{username: "carol", name: "Carol Okafor", note: "<p>Astronomy, choirs, and long walks.</p>", fields: []Field{{"Pronouns", "she/her"}}})
	dana := ps.add(&person{username: "Dana", name: "Dana Petrov", note: "<p>Gardener.</p>"})
	erin := ps.add(&person{username: "erin", domain: "garden.example", name: "Erin Walsh", fields: []Field{webField("garden.example"), xmppField("erin@chat.garden.example")}})
	farid := ps.add(&person{username: "farid", domain: "photos.example", name: "Farid Haddad :camera:", fields: []Field{{"Pronouns", "he/him"}}})
	gwen := ps.add(&person{username: "gwen", domain: "bücher.example", name: "Gwen Ito", fields: []Field{{"Jabber", "gwen@xn--bcher-kva.example"}}})
	news := ps.add(&person{username: "news", domain: "press.example", name: "Harbour News", bot: true})
	for who, whom := range map[*person][]*person{
		alice: {news, gwen, farid, erin, dana, carol, bob},
		bob:   {erin, dana, carol, alice},
		carol: {gwen, farid, bob, alice},
		dana:  {alice},
	} {
		for _, p := range whom {
			ps.follow(who, p)
		}
	}
}

func (ps *people) add(p *person) *person {
	ps.ids++
	p.state = Active
	p.id = ps.newID(ps.ids)
	ps.byID[p.id] = p
	ps.byAcct[strings.ToLower(p.acct())] = p
	return p
}

func (ps *people) follow(who, whom *person) {
	ps.follows++
	who.follows = append(who.follows, follow{id: ps.newID(500_000 + ps.follows), of: whom})
}

// newID is a snowflake on Mastodon, a ULID on GoToSocial; both grow with n.
func (ps *people) newID(n int) string {
	if ps.mode != GoToSocial {
		return fmt.Sprint(109_300_000_000_000_000 + n*4099)
	}
	const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	id := []byte("01HV3B8Q2R000000000000000A")
	for i := len(id) - 2; n > 0; i-- {
		id[i] = crockford[n%32]
		n /= 32
	}
	return string(id)
}

// local finds a local person by name, whatever its case.
func (ps *people) local(username string) *person { return ps.byAcct[strings.ToLower(username)] }

var (
	givenNames  = []string{"Ada", "Bilal", "Chidi", "Dora", "Emre", "Freya", "Goran", "Hana", "Ivo", "Jun", "Kaia", "Luca", "Mina", "Noor", "Otto", "Pia", "Quinn", "Rosa", "Sami", "Tove", "Uma", "Viggo", "Wanda", "Yusuf", "Zoë"}
	familyNames = []string{"Ahlberg", "Bianchi", "Castro", "Dufour", "Eriksen", "Ferrari", "Gupta", "Horvat", "Ibrahim", "Jansen", "Kowalski", "Larsen", "Mori", "Novak", "Oduya", "Petit", "Quispe", "Rossi", "Silva", "Tanaka"}
)

// generate gives username n more follows: a third local, the others elsewhere, and
// every second of those with a chat address. The same n always gives the same people.
func (ps *people) generate(username string, n int) {
	p := ps.local(username)
	for i := range n {
		g, f := givenNames[i%len(givenNames)], familyNames[(i/len(givenNames)+i*7)%len(familyNames)]
		q := &person{name: g + " " + f, username: fmt.Sprintf("%s_%04d", strings.ToLower(strings.ReplaceAll(g, "ë", "e")), i)}
		if i%3 != 0 {
			q.domain = fmt.Sprintf("server%d.example", i%11)
			if i%2 == 0 {
				q.fields = []Field{xmppField(q.username + "@" + q.domain)}
			}
		}
		if known := ps.byAcct[strings.ToLower(q.acct())]; known != nil {
			q = known
		} else {
			ps.add(q)
		}
		if !p.following(q) {
			ps.follow(p, q)
		}
	}
}

func (p *person) following(q *person) bool {
	return slices.ContainsFunc(p.follows, func(f follow) bool { return f.of == q })
}
