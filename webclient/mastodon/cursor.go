package mastodon

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// maxPages bounds how far cursors lead: 80,000 people.
const maxPages = 1000

// cursor is a place in a list: how many pages came before, and where to go on. It is
// written "PAGE.MAX_ID".
type cursor struct {
	page  int
	maxID string
}

func (cu cursor) String() string { return strconv.Itoa(cu.page) + "." + cu.maxID }

var errCursor = errors.New("not a cursor")

// parseCursor reads a cursor; "" is the first page.
func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{}, nil
	}
	page, maxID, ok := strings.Cut(s, ".")
	n, err := strconv.Atoi(page)
	cu := cursor{n, maxID}
	if !ok || err != nil || n < 1 || n > maxPages || !isID(maxID) || cu.String() != s {
		return cursor{}, errCursor
	}
	return cu, nil
}

// nextPage finds the cursor behind at in Link headers (RFC 8288), "" if there is none.
// The link must lead to the same list of the same origin, and onwards.
func nextPage(links []string, base *url.URL, path string, at cursor) (string, error) {
	target, ok := relNext(strings.Join(links, ", "))
	if !ok {
		return "", nil
	}
	u, err := url.Parse(target)
	if err != nil {
		return "", errors.New("the paging link is no URL")
	}
	u = base.ResolveReference(u)
	next := cursor{at.page + 1, u.Query().Get("max_id")}
	switch {
	case !sameOrigin(u, base):
		return "", errors.New("the paging link leads to another origin")
	case u.Path != path:
		return "", errors.New("the paging link leads to another list")
	case !isID(next.maxID):
		return "", errors.New("the paging link has no max_id")
	case at.maxID != "" && !before(next.maxID, at.maxID):
		return "", errors.New("the paging link leads back")
	case next.page > maxPages:
		return "", errors.New("the list does not end")
	}
	return next.String(), nil
}

// before tells whether a is an older id than b. Numbers compare as numbers, ids of one
// length (ULIDs) as text; of others we know only that they must differ, and maxPages
// ends a longer circle.
func before(a, b string) bool {
	if isNumber(a) && isNumber(b) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return len(a) < len(b) || len(a) == len(b) && a < b
	}
	if len(a) == len(b) {
		return a < b
	}
	return a != b
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// relNext is the target of the first link with rel=next.
func relNext(header string) (target string, ok bool) {
	for rest := header; ; {
		_, after, found := strings.Cut(rest, "<")
		if !found {
			return "", false
		}
		target, after, found = strings.Cut(after, ">")
		if !found {
			return "", false
		}
		params, tail := linkParams(after)
		for _, rel := range strings.Fields(params["rel"]) {
			if strings.EqualFold(rel, "next") {
				return target, true
			}
		}
		rest = tail
	}
}

// linkParams reads ";name=value" pairs up to the comma that ends the link. The first
// of several parameters of one name counts (RFC 8288 section 3.3).
func linkParams(s string) (params map[string]string, rest string) {
	params = map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t;")
		if s == "" || s[0] == ',' {
			return params, s
		}
		end := strings.IndexAny(s, "=;,")
		if end < 0 {
			return params, ""
		}
		name := strings.ToLower(strings.TrimSpace(s[:end]))
		if s[end] != '=' {
			s = s[end:]
			continue
		}
		var value string
		value, s = linkValue(strings.TrimLeft(s[end+1:], " \t"))
		if _, twice := params[name]; !twice {
			params[name] = value
		}
	}
}

// linkValue reads a token or a quoted string.
func linkValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ";,")
		if end < 0 {
			end = len(s)
		}
		return strings.TrimSpace(s[:end]), s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
