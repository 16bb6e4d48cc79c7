package mastodontest

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

func avatarPath(p *person) string { return "/avatars/" + p.id + ".svg" }

// avatar draws a picture from the person's name: always the same one.
func (s *Server) avatar(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.people.byID[strings.TrimSuffix(r.PathValue("name"), ".svg")]
	s.mu.Unlock()
	if p == nil {
		s.notFoundPage(w)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	fmt.Fprint(w, drawAvatar(p.acct(), p.name))
}

// drawAvatar puts initials on a soft landscape of three hills in two hues.
func drawAvatar(seed, name string) string {
	h := fnv.New32a()
	h.Write([]byte(seed))
	n := h.Sum32()
	hue := n % 360
	second := (hue + 25 + n>>9%50) % 360
	bump := func(i uint) uint32 { return 40 + (n>>(3*i))%24 }
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96">
<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop stop-color="hsl(%d 62%% 62%%)"/><stop offset="1" stop-color="hsl(%d 58%% 44%%)"/></linearGradient></defs>
<rect width="96" height="96" fill="url(#g)"/>
<circle cx="%d" cy="%d" r="%d" fill="#fff" opacity=".22"/>
<path d="M0 %dC20 %d 38 %d 58 %dS88 %d 96 %dV96H0Z" fill="hsl(%d 55%% 32%%)" opacity=".38"/>
<path d="M0 84C24 70 46 92 68 78S90 74 96 76V96H0Z" fill="hsl(%d 55%% 26%%)" opacity=".42"/>
<text x="48" y="59" text-anchor="middle" font-family="system-ui,sans-serif" font-size="34" font-weight="600" fill="#fff">%s</text>
</svg>`, hue, second, 18+n%60, 16+n>>5%16, 9+n>>7%9,
		bump(1)+22, bump(2)+12, bump(3)+26, bump(1)+18, bump(2)+14, bump(3)+20, second, hue, initials(name))
}

func initials(name string) string {
	var out []rune
	for _, word := range strings.Fields(name) {
		if c, _ := utf8.DecodeRuneInString(word); unicode.IsLetter(c) && len(out) < 2 {
			out = append(out, unicode.ToUpper(c))
		}
	}
	return string(out)
}
