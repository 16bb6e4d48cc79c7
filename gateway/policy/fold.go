package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold maps a part of an address so that whatever some server takes for the same is the same: Prosody and ejabberd prepare addresses
// by stringprep (RFC 3491, RFC 3920 appendix A), to which "jeß" is "jess", while the address that a rule trusts is prepared as RFC
// 7622 has it, to which they are two people. It is wider than either, full case folding, NFKC and nothing that cannot be seen, so
// two different people may become one: it is only ever a reason to refuse. Lower-case ASCII comes back as it is.
func fold(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	fold := cases.Fold()
	for n := 0; n < maxFolds && len(s) <= maxAddress; n++ { // what has grown longer is nobody's address
		t := norm.NFKC.String(fold.String(strings.Map(visible, s)))
		if t == s {
			break
		}
		s = t
	}
	return s
}

// maxFolds bounds how often a string is folded until nothing changes any more; no character needs as many.
const maxFolds = 8

// foldDomain folds a domain. Dots are those of IDNA2003 (RFC 3490 §3.1), and the root's are not there.
func foldDomain(s string) string {
	s = fold(s)
	return strings.TrimRight(strings.ReplaceAll(s, "\u3002", "."), ".")
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// visible drops what is mapped to nothing (RFC 3454 table B.1), and what later versions of Unicode say of the same kind.
func visible(r rune) rune {
	switch {
	case r == '\u1806' || unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return -1
	case r >= 0x43ab && corrected[r] != 0:
		return corrected[r]
	}
	return r
}

// corrected are what five characters decomposed to in Unicode 3.2, which stringprep keeps to, and what to ever since (Unicode
// Corrigendum 4).
var corrected = map[rune]rune{0x2136a: 0x36fc, 0x5f33: 0x5f53, 0x43ab: 0x243ab, 0x7aae: 0x7aee, 0x4d57: 0x45d7}
