package backend

import (
	"errors"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"
)

// Room says who may join a room, or each of several.
type Room struct {
	// JID is a room's address, "tea@rooms.example.org", or its localpart alone, "tea",
	// for a room of that name anywhere. "*" as the whole localpart stands for every
	// room: "*@rooms.example.org", "*".
	JID string
	// Allow lists who may: one of them is enough. Nobody may where it is empty.
	//
	//	local            everybody of our Mastodon server
	//	followers:ACCT   who follows ACCT: alice, or alice@other.example
	//	mutuals:ACCT     who follows ACCT and is followed back
	//	list:ID@ACCT     who is in the list ID of our ACCT
	//	moderators       who may manage reports or users on our Mastodon server
	//	account:ACCT     one person of ours, or account:NAME@DOMAIN one address elsewhere
	Allow []string
}

// roomRule is a Room that was read.
type roomRule struct {
	written       string
	local, domain string // normalised; local may be "*", domain "" for any
	allow         []grant
}

// grant is one word of Room.Allow.
type grant struct {
	kind    string // the word before the colon
	account string // normalised; an acct, or for grantAccount a bare JID
	list    string
	written string
}

const (
	grantLocal      = "local"
	grantFollowers  = "followers"
	grantMutuals    = "mutuals"
	grantList       = "list"
	grantModerators = "moderators"
	grantAccount    = "account"
)

// maxGrants bounds what one question may cost.
const maxGrants = 32

// parseRooms reads the rules, for people at domain. Every mistake is told, each
// with its room's name.
func parseRooms(rooms []Room, domain string) ([]roomRule, error) {
	var rules []roomRule
	var errs []error
	for _, room := range rooms {
		rule, err := parseRoom(room, domain)
		for _, before := range rules {
			if err == nil && before.covers(rule) {
				err = fmt.Errorf("never counts, because %q before it fits the same rooms", before.written)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("backend: room %q: %w", room.JID, err))
			continue
		}
		rules = append(rules, rule)
	}
	return rules, errors.Join(errs...)
}

func parseRoom(room Room, domain string) (roomRule, error) {
	rule := roomRule{written: room.JID}
	local, at, full := strings.Cut(room.JID, "@")
	star := local == "*"
	if star {
		local = "any"
	}
	if !full {
		at = "x.example" // only to have the localpart judged
	}
	j, err := jid.New(local, at, "")
	switch {
	case err != nil || local == "" || strings.Contains(j.Localpart(), "*"):
		return rule, errors.New(`is not the address of a room: write "tea@rooms.example.org", or "*@rooms.example.org" for every room there`)
	case len(room.Allow) > maxGrants:
		return rule, fmt.Errorf("has more than %d words", maxGrants)
	}
	rule.local = strings.Clone(j.Localpart())
	if star {
		rule.local = "*"
	}
	if full {
		rule.domain = strings.Clone(j.Domainpart())
	}
	for _, word := range room.Allow {
		g, err := parseGrantWord(word, domain)
		if err != nil {
			return rule, err
		}
		rule.allow = append(rule.allow, g)
	}
	return rule, nil
}

// parseGrantWord reads one word of Room.Allow.
func parseGrantWord(word, domain string) (grant, error) {
	kind, who, colon := strings.Cut(word, ":")
	g := grant{kind: kind, written: word}
	switch {
	case (kind == grantLocal || kind == grantModerators) && !colon:
		return g, nil
	case (kind == grantFollowers || kind == grantMutuals) && colon:
		var err error
		g.account, err = parseAcct(who)
		return g, wrapWord(word, err)
	case kind == grantList && colon:
		id, owner, _ := strings.Cut(who, "@")
		account, err := parseAcct(owner)
		if err != nil || strings.Contains(account, "@") || !listID(id) {
			return g, fmt.Errorf(`%q is not a list: write "list:42@alice"`, word)
		}
		g.list, g.account = id, account
		return g, nil
	case kind == grantAccount && colon:
		account, err := parseAcct(who)
		if err == nil && !strings.Contains(account, "@") {
			account += "@" + domain
		}
		g.account = account
		return g, wrapWord(word, err)
	}
	return g, fmt.Errorf("%q is none of local, followers:NAME, mutuals:NAME, list:ID@NAME, moderators, account:NAME", word)
}

func wrapWord(word string, err error) error {
	if err != nil {
		return fmt.Errorf("%q: %w", word, err)
	}
	return nil
}

// parseAcct reads alice or alice@other.example, in its normal form.
func parseAcct(s string) (string, error) {
	local, domain, remote := strings.Cut(s, "@")
	if !remote {
		domain = "x.example"
	}
	j, err := jid.New(local, domain, "")
	if err != nil || local == "" || strings.ContainsAny(j.Localpart(), "*:") {
		return "", errors.New(`a name is expected after the colon, such as alice or alice@other.example`)
	}
	if !remote {
		return strings.Clone(j.Localpart()), nil
	}
	return j.String(), nil
}

// listID keeps list ids from being anything else: numbers, ULIDs or alike.
func listID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_')
	})
}

// fits says whether the rule is about this room.
func (r roomRule) fits(local, domain string) bool {
	return (r.local == "*" || r.local == local) && (r.domain == "" || r.domain == domain)
}

// covers says whether r fits every room that other fits.
func (r roomRule) covers(other roomRule) bool {
	return (r.local == "*" || r.local == other.local) && (r.domain == "" || r.domain == other.domain)
}
