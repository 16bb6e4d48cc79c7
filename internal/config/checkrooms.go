package config

import (
	"fmt"
	"slices"
	"strings"

	"mellium.im/xmpp/jid"
)

// maxRoomRules is how many words one room may have.
const maxRoomRules = 32

// checkRooms holds the rules of rooms as the front that answers about them does,
// so that nothing passes here at which the service would not start.
func (r *reader) checkRooms(c *Config) {
	if len(c.Rooms) > 0 && c.Secrets.MUCSecret.IsZero() && !r.bad["secrets.muc_secret"] {
		r.mistake("rooms", "is set, but secrets.muc_secret is not", howSecret)
	}
	if len(c.Rooms) == 0 && !c.Secrets.MUCSecret.IsZero() && !r.bad["rooms"] {
		r.warn("secrets.muc_secret", "is set, but there is no room, so that whoever asks to join one is refused",
			"add a section [[rooms]], or remove it; see docs/rooms.md")
	}
	var before []roomAddress
	for i, room := range c.Rooms {
		key := fmt.Sprintf("rooms.%d", i+1)
		if !r.bad[key+".jid"] {
			before = r.checkRoomAddress(i+1, room.JID, before)
		}
		r.checkRoomRules(c, key+".allow", room.Allow)
	}
}

// roomAddress is which rooms a section is about.
type roomAddress struct {
	section                int    // from 1
	written, local, domain string // local and domain normalised; local may be "*"
}

func (r *reader) checkRoomAddress(section int, written string, before []roomAddress) []roomAddress {
	key := fmt.Sprintf("rooms.%d.jid", section)
	a, ok := parseRoomAddress(written)
	if !ok {
		r.mistake(key, fmt.Sprintf("is not the address of a room (%q)", written),
			`write "tea@rooms.example.org", or "*@rooms.example.org" for every room there`)
		return before
	}
	a.section = section
	for _, b := range before {
		if a.domain != b.domain || b.local != "*" && b.local != a.local {
			continue
		}
		r.mistake(key, fmt.Sprintf("never counts, because section %d of [[rooms]] fits the same rooms (%q)", b.section, b.written),
			"put this one before it, or remove it: the first that fits counts")
		break
	}
	return append(before, a)
}

func parseRoomAddress(written string) (roomAddress, bool) {
	local, domain, at := strings.Cut(written, "@")
	star := local == "*"
	if star {
		local = "any"
	}
	j, err := jid.New(local, domain, "")
	if err != nil || !at || local == "" || domain == "" || strings.Contains(j.Localpart(), "*") || strings.ContainsAny(domain, "@/*") {
		return roomAddress{}, false
	}
	a := roomAddress{written: written, local: j.Localpart(), domain: j.Domainpart()}
	if star {
		a.local = "*"
	}
	return a, true
}

func (r *reader) checkRoomRules(c *Config, key string, allow []string) {
	if r.bad[key] {
		return
	}
	switch {
	case len(allow) == 0:
		r.mistake(key, "is missing", `write who may join, such as ["local"]`)
	case len(allow) > maxRoomRules:
		r.mistake(key, fmt.Sprintf("has %d rules", len(allow)), fmt.Sprintf("write at most %d; a list at Mastodon may have more people", maxRoomRules))
	}
	lists := false
	for i, rule := range allow {
		if slices.Contains(allow[:i], rule) {
			continue
		}
		if advice := roomRuleAdvice(rule); advice != "" {
			r.mistake(key, fmt.Sprintf("has %q, which is no rule", rule), advice)
		}
		lists = lists || strings.HasPrefix(rule, "list:")
	}
	if lists && !r.bad[key] && c.Secrets.ListToken.IsZero() && !r.bad["secrets.list_token"] {
		r.warn(key, "has a list: rule, but secrets.list_token is not set, and without it nobody is let in by that rule",
			howTo("secrets.list_token"))
	}
}

// roomRuleAdvice says what to write instead of a rule that is none, and nothing
// of one that is.
func roomRuleAdvice(rule string) string {
	kind, who, colon := strings.Cut(rule, ":")
	switch {
	case (kind == "local" || kind == "moderators") && !colon:
		return ""
	case kind == "local" || kind == "moderators":
		return fmt.Sprintf("write %q alone", kind)
	case kind == "followers" || kind == "mutuals" || kind == "account":
		if !colon || !isAcct(who) {
			return fmt.Sprintf(`write whom it is about: "%s:alice" or "%[1]s:alice@other.example"`, kind)
		}
		return ""
	case kind == "list":
		id, owner, _ := strings.Cut(who, "@")
		if !colon || !isListID(id) || strings.Contains(owner, "@") || !isAcct(owner) {
			return `write the list's number and whose it is: "list:42@alice"; the number is at the end of its address at Mastodon`
		}
		return ""
	}
	return "choose from: local, moderators, followers:NAME, mutuals:NAME, list:ID@NAME, account:NAME"
}

// isAcct knows alice and alice@other.example.
func isAcct(s string) bool {
	local, domain, remote := strings.Cut(s, "@")
	if !remote {
		domain = "x.example"
	}
	j, err := jid.New(local, domain, "")
	return err == nil && local != "" && !strings.ContainsAny(j.Localpart(), "*:")
}

// isListID knows what Mastodon and its relatives call lists: numbers, ULIDs.
func isListID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_'
	})
}
