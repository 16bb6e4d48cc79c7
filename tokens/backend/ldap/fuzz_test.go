package ldap

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"unicode/utf8"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// script is a connection whose client says all at once and listens.
type script struct {
	net.Conn // for the addresses
	in       *bytes.Reader
	out      bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.out.Write(p) }

// FuzzConnection: whatever a client says, the server does not panic, answers in
// whole messages, nobody is found who was not let in, and what the core is asked
// is a name.
func FuzzConnection(f *testing.F) {
	bindAs := func(dn, password string) []byte { return message(1, bindOp(3, dn, password)) }
	f.Add(bindAs(serviceDN, serviceSecret))
	f.Add(append(bindAs(alice, "alice-phone"), message(2, searchOp(compiled(f, "(uid=alice)")))...))
	f.Add(message(1, searchOp(compiled(f, "(&(uid=alice)(objectClass=*))"))))
	f.Add(message(1, searchOp(compiled(f, "(|(uid=al*)(!(cn:dn:1.2:=x)))"))))
	f.Add(message(1, startTLSOp()))
	f.Add(message(7, application(goldap.ApplicationExtendedRequest, contextString(0, oidWhoAmI)), controls(sequence(octetString("1.2")))))
	f.Fuzz(func(t *testing.T, sent []byte) {
		s, core, _ := newServer(t, nil)
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		conn := &script{Conn: server, in: bytes.NewReader(sent)}
		c := &connection{server: s, net: server, stream: conn}
		_ = c.serve(context.Background())
		letIn := bytes.Contains(sent, []byte(serviceSecret)) || bytes.Contains(sent, []byte("-phone")) || bytes.Contains(sent, []byte("-laptop"))
		for conn.out.Len() > 0 {
			p, err := ber.ReadPacket(&conn.out)
			if err != nil || len(p.Children) != 2 || p.Children[1].ClassType != ber.ClassApplication {
				t.Fatalf("an answer that is none: %v", err)
			}
			if op := p.Children[1]; !letIn && op.Tag == goldap.ApplicationSearchResultEntry && op.Children[0].Data.Len() > 0 {
				t.Fatalf("a stranger was told of %s", op.Children[0].Data)
			}
		}
		for _, q := range core.questions() {
			if q.User == "" || len(q.User) > maxName || !utf8.ValidString(q.User) || strings.ContainsAny(q.User, "\x00\n\r") || q.Front != front {
				t.Fatalf("the core was asked about %q", q.User)
			}
		}
	})
}

type connection = conn

// FuzzFilter: a filter that is answered is true of the one person's entry that
// is found and of nobody else's, as a full evaluation has it.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"(uid=alice)", "(&(uid=alice)(objectClass=*))", "(&(uid=bob)(uid=*))", "(&(uid=alice)(objectClass=account))",
		"(|(uid=alice)(uid=bob))", "(!(uid=alice))", "(&(uid=alice)(!(objectClass=*)))", "(uid=a*)", "(&)", "(userid=ALICE)",
	} {
		f.Add(compiled(f, s).Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readMessage(bytes.NewReader(b))
		if err != nil {
			return
		}
		asked, ok := decodeFilter(p)
		if !ok || asked.other || len(asked.uids) != 1 {
			return
		}
		name, ok := normalName(asked.uids[0])
		if !ok {
			return
		}
		if evaluate(p, name) != asked.isClassOf(personClasses) {
			t.Errorf("%q is found and the filter says otherwise", name)
		}
		if evaluate(p, name+"x") {
			t.Errorf("the filter is true of others than %q", name)
		}
	})
}

// evaluate says whether a filter is true (RFC 4511 section 4.5.1.7) of a
// person's entry, without Undefined, which is false here.
func evaluate(p *ber.Packet, name string) bool {
	attribute := func(kind string) []string {
		switch {
		case isUID(kind):
			return []string{name}
		case isObjectClass(kind):
			return personClasses
		default:
			return nil
		}
	}
	switch p.Tag {
	case goldap.FilterAnd:
		for _, c := range p.Children {
			if !evaluate(c, name) {
				return false
			}
		}
		return true
	case goldap.FilterOr:
		for _, c := range p.Children {
			if evaluate(c, name) {
				return true
			}
		}
		return false
	case goldap.FilterNot:
		return len(p.Children) == 1 && !evaluate(p.Children[0], name)
	case goldap.FilterPresent:
		return attribute(p.Data.String()) != nil
	case goldap.FilterEqualityMatch:
		for _, v := range attribute(p.Children[0].Data.String()) {
			if strings.EqualFold(v, p.Children[1].Data.String()) {
				return true
			}
		}
	}
	return false
}

// FuzzName: whatever the name, the DN that is made of it is that person's and
// nobody else's; and no DN is two people's.
func FuzzName(f *testing.F) {
	for _, s := range []string{"alice", "Alice", " a ", "#a", `a\,b="c"+d;<e>`, "ü", "a\u2028b", "*", "bob)(uid=*", "\\", "a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, _, _ := newServer(t, nil)
		if dn, err := parseDN(text); err == nil {
			if name, ok := s.person(dn); ok {
				checkName(t, s, name)
			}
		}
		if name, ok := normalName(text); ok {
			checkName(t, s, name)
		}
	})
}

func checkName(t *testing.T, s *Server, name string) {
	t.Helper()
	dn, err := parseDN(s.personDN(name))
	if err != nil {
		t.Fatalf("%q makes a DN that cannot be read: %v", name, err)
	}
	if again, ok := s.person(dn); !ok || again != name {
		t.Fatalf("%q turned into %q", name, again)
	}
}

var (
	_ io.ReadWriter = (*script)(nil)
	_ Core          = (*core)(nil)
	_               = backend.Yes
)
