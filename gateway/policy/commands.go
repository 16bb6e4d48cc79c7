package policy

import (
	"fmt"
	"slices"
	"strings"
)

const (
	nsCommands    = "http://jabber.org/protocol/commands" // XEP-0050
	nsCertificate = "urn:xmpp:saslcert:"                  // XEP-0257
)

// Admin stands for the AdminCommands.
const Admin = "admin"

// AdminCommands are the beginnings of the nodes of ad-hoc commands with which Prosody, ejabberd and their modules are
// administered (XEP-0133 and their own), or with which somebody gets a way to log in that is not Trunkline's.
var AdminCommands = []string{
	"http://jabber.org/protocol/admin", "http://prosody.im/protocol", "urn:xmpp:invite#create-account",
	"running nodes", "stopped nodes", "config", "announce", "all users", "online users", "outgoing s2s", "user", "api-commands",
}

// Commands are ad-hoc commands that nobody runs from a browser. The zero value names none.
type Commands struct{ nodes [][]string }

// NewCommands takes the beginnings of nodes, each up to a "/" or "#" or to the end, and the word Admin. Errors: one that names
// everything.
func NewCommands(beginnings []string) (*Commands, error) {
	c := &Commands{}
	if slices.Contains(beginnings, Admin) {
		beginnings = append(slices.DeleteFunc(slices.Clone(beginnings), func(b string) bool { return b == Admin }), AdminCommands...)
	}
	for _, b := range beginnings {
		parts := nodeParts(b)
		if len(parts) == 0 {
			return nil, fmt.Errorf("policy: %q names no command", b)
		}
		c.nodes = append(c.nodes, parts)
	}
	return c, nil
}

// nodeParts splits a node as ejabberd does, to whom "a//b", "a#b" and "/a/b" are one node.
func nodeParts(node string) []string {
	return strings.FieldsFunc(node, func(r rune) bool { return r == '/' || r == '#' })
}

// has reports whether the node is one of those.
func (c *Commands) has(node string) bool {
	if c == nil || len(c.nodes) == 0 {
		return false
	}
	parts := nodeParts(node)
next:
	for _, beginning := range c.nodes {
		if len(parts) < len(beginning) {
			continue
		}
		for i := range beginning {
			if parts[i] != beginning[i] {
				continue next
			}
		}
		return true
	}
	return false
}

// administers reports whether the IQ runs a command that is not for browsers, at the person's own server or at a part of it. The
// same server may have other domains, which nobody here knows, so what is in the name space of such commands is not run at any
// address without a localpart. A bare word ("config") is theirs who use it elsewhere.
func (a *ask) administers() bool {
	if !a.asks(nsCommands, "command") {
		return false
	}
	node := a.e.First().Attr("node")
	return a.commands.has(node) && (a.atHome() || strings.HasSuffix(a.to.wide, "."+a.wide.domain) || !a.to.local && len(nodeParts(node)) > 1)
}

// certifies reports whether the IQ changes the certificates with which the account can be logged in to.
func (a *ask) certifies() bool {
	first := a.e.First()
	return a.typ == "set" && first != nil && strings.HasPrefix(first.Name.Space, nsCertificate)
}

// announces reports whether a message is for all people of the server: it goes to a resource of the server itself, or to one that
// means the same at any domain that the server may have.
func (a *ask) announces() bool {
	return !a.to.local && a.to.full && (a.to.class == toServer || a.to.class == toNobody || a.to.all)
}

// registers reports whether the IQ changes an account (XEP-0077). Servers let anybody do so at the address of anybody on their
// domain; a registration with another service is another matter.
func (a *ask) registers() bool {
	return a.sets(nsRegister, "query") && a.atHome()
}

// atHome reports whether the target is on the person's own domain, or nowhere that can be told.
func (a *ask) atHome() bool {
	return a.to.own() || a.to.class == toNobody || a.to.domain == a.state.Domain
}
