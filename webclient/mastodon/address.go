package mastodon

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"mellium.im/xmpp/jid"
)

const maxFieldHTML = 4 << 10 // Mastodon takes 255 characters of text

// XMPPAddress finds a chat address in profile fields: an xmpp: URI (RFC 5122) as a
// link or as text, or a bare address in a field called XMPP or Jabber. The result
// is a normalised bare JID with a localpart. The first field that has one counts.
func XMPPAddress(fields []Field) (address string, ok bool) {
	for _, f := range fields {
		if len(f.Value) > maxFieldHTML {
			continue
		}
		links, text := readHTML(f.Value)
		for _, s := range append(links, strings.Fields(text)...) {
			if address, ok := fromURI(s); ok {
				return address, true
			}
		}
		if words := strings.Fields(text); len(words) == 1 && namesChat(f.Name) {
			if address, ok := bareJID(words[0]); ok {
				return address, true
			}
		}
	}
	return "", false
}

// readHTML is the link targets and the text of a field.
func readHTML(s string) (links []string, text string) {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return links, b.String()
		case html.TextToken:
			b.Write(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if string(name) == "br" || string(name) == "p" {
				b.WriteByte(' ')
			}
			for more {
				var key, value []byte
				key, value, more = z.TagAttr()
				if string(name) == "a" && string(key) == "href" {
					links = append(links, string(value))
				}
			}
		}
	}
}

// namesChat tells whether a field's name says that its value is a chat address.
func namesChat(name string) bool {
	for _, word := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if word == "xmpp" || word == "jabber" {
			return true
		}
	}
	return false
}

// fromURI reads xmpp:user@domain, with or without resource, query and fragment
// (RFC 5122 section 2.2). The form with an authority names an account to use, not
// somebody to talk to.
func fromURI(s string) (string, bool) {
	const scheme = "xmpp:"
	if len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return "", false
	}
	s = s[len(scheme):]
	if end := strings.IndexAny(s, "?#"); end >= 0 {
		s = s[:end]
	}
	if strings.HasPrefix(s, "//") {
		return "", false
	}
	s, err := url.PathUnescape(s)
	if err != nil {
		return "", false
	}
	return bareJID(s)
}

// bareJID normalises an address (RFC 7622) and takes the resource off it.
func bareJID(s string) (string, bool) {
	j, err := jid.Parse(s)
	if err != nil || j.Localpart() == "" || !strings.Contains(j.Domainpart(), ".") {
		return "", false
	}
	bare := j.Bare().String()
	again, err := jid.Parse(bare)
	if err != nil || again.String() != bare || again.Resourcepart() != "" {
		return "", false
	}
	return bare, true
}
