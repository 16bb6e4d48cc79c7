package backend

import (
	"regexp"
	"strings"
)

// gap is what people put between the groups of a password: hyphens, spaces, and
// all that is not ASCII, which holds every other dash and space there is.
// contrib/prosody/mod_auth_trunkline/issued.lib.lua does the same; testdata/issued.tsv
// holds both to one table.
const gap = `[-\t\n\v\f\r\x20\x80-\x{10ffff}]`

var (
	gaps    = regexp.MustCompile(gap + `+`)
	begun   = regexp.MustCompile(`^(?:tl[tia]_|tld` + gap + `)`)
	spelled = regexp.MustCompile(`^tld[a-z2-7]{24}$`)
)

// issued says whether a password has the look of those that Trunkline issues, in
// any spelling that may have been typed: then nobody else is asked about it.
func issued(secret string) bool {
	if webToken(secret) {
		return true
	}
	typed := lowerASCII(strings.ToValidUTF8(secret, "\ufffd"))
	return begun.MatchString(typed[leading(typed):]) || spelled.MatchString(gaps.ReplaceAllString(typed, ""))
}

// leading is the length of the gap that a text begins with.
func leading(text string) int {
	if at := gaps.FindStringIndex(text); at != nil && at[0] == 0 {
		return at[1]
	}
	return 0
}

// webToken is a JSON Web Token by its look: three parts, the first of which
// begins with {".
func webToken(secret string) bool {
	return strings.HasPrefix(secret, "eyJ") && strings.Count(secret, ".") == 2
}

// immediate says whether a password is of a kind that is checked without asking
// Mastodon: what the panel signs in with, and access tokens.
func immediate(secret string) bool {
	return strings.HasPrefix(secret, "tlt_") || strings.HasPrefix(secret, "tli_") || strings.HasPrefix(secret, "tla_") || webToken(secret)
}

// lowerASCII leaves alone what other alphabets have for capitals.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
}
