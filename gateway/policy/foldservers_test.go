package policy

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// preparations are how servers prepare addresses, by their own code: in their hands are a file of lines in hexadecimal, and where to
// write the same, empty for what is no address to them.
var preparations = map[string]func(in, out string) []string{
	"Prosody": func(in, out string) []string {
		return []string{"lua5.4", "-e", `
			package.path = "/usr/lib/prosody/?.lua;" .. package.path;
			package.cpath = "/usr/lib/prosody/?.so;" .. package.cpath;
			local jid = require "util.jid";
			local function byte(h) return string.char(tonumber(h, 16)); end
			local function digits(c) return ("%02x"):format(c:byte()); end
			local out = assert(io.open("` + out + `", "w"));
			for line in io.lines("` + in + `") do
				local prepared = jid.prep((line:gsub("..", byte)));
				out:write(((prepared or ""):gsub(".", digits)), "\n");
			end
			assert(out:close());`}
	},
	"ejabberd": func(in, out string) []string {
		return []string{"erl", "-noshell", "-eval", `
			ok = stringprep:start(), ok = jid:start(),
			Prepare = fun(Line) ->
				case catch jid:decode(binary:decode_hex(Line)) of
					J when element(1, J) =:= jid -> binary:encode_hex(jid:encode(jid:tolower(J)));
					_ -> <<>>
				end
			end,
			{ok, Text} = file:read_file("` + in + `"),
			Lines = [[Prepare(Line), "\n"] || Line <- binary:split(Text, <<"\n">>, [global, trim])],
			ok = file:write_file("` + out + `", Lines), halt().`}
	},
}

// prepared is what a server makes of each address, "" of what is none.
func prepared(t *testing.T, command func(in, out string) []string, addresses []string) []string {
	t.Helper()
	var text bytes.Buffer
	for _, a := range addresses {
		text.WriteString(hex.EncodeToString([]byte(a)) + "\n")
	}
	in, out := filepath.Join(t.TempDir(), "addresses"), filepath.Join(t.TempDir(), "prepared")
	require.NoError(t, os.WriteFile(in, text.Bytes(), 0o600))
	args := command(in, out)
	said, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, string(said[:min(len(said), 2000)]))
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	require.Len(t, lines, len(addresses))
	for i, line := range lines {
		b, err := hex.DecodeString(line)
		require.NoError(t, err, line)
		lines[i] = string(b)
	}
	return lines
}

// nasty are addresses with what the standards before and after 2015 read in different ways.
var nasty = []string{
	"je\u00df@press.example", "jess@pre\u00df.example", "JE\u1e9e@press.example", "\u03c3\u03bf\u03c6\u03cc\u03c2@a.example", "a@\u03c3\u03bf\u03c6\u03cc\u03c2.example",
	"je\u200dss@press.example", "je\u200css@press.example", "jess@pre\u200dss.example", "je\u00adss@press.example", "\ufeffjess@press.example", "jess\ufe0f@press.example",
	"\uff4aess@press.example", "je\u017fs@press.example", "jess@press\u3002example", "jess@press\uff0eexample", "jess@press\uff61example", "jess@press.example.",
	"jess@press.example..", "jess@xn--pre-hia.example", "jess\uff20press.example", "jess@press.example\uff0fx", "press.example\uff0fx", "jess@pre\u2100ss.example",
	"e\u0301@a.example", "e\u200d\u0301@a.example", "\u1e69@a.example", "s\u0307\u0323@a.example", "s\u0323\u034f\u0307@a.example", "\u212a@a.example", "\u2126@a.example",
	"\u0130@a.example", "\u0131@a.example", "\u01c5@a.example", "\ufb03@a.example", "\u1f88@a.example", "\u0149@a.example", "\u0390@a.example", "\u1fd3@a.example",
	"\u0345a@a.example", "\u1e9b\u0323@a.example", "\u2163@a.example", "\u33a8@a.example", "\u3131@a.example", "\uffa1@a.example", "\u1100\u1161@a.example", "\uac00@a.example",
	"\u13a0@a.example", "\uab70@a.example", "\u10a0@a.example", "\u1c90@a.example", "\u2d00@a.example", "\U00010400@a.example", "\U0001d400@a.example", "\U0002f868@a.example",
	"a\u0305b@a.example", "\u200d@press.example", "[::1]", "romeo@192.0.2.1",
}

// sweep is every character that anything is done with, in either part, and heaps of the interesting ones.
func sweep(interesting []rune) (list []string) {
	around := func(s string) { list = append(list, "a"+s+"b@social.example", "romeo@c"+s+"d.example") }
	if interesting == nil {
		list = append(list, nasty...)
		for _, block := range [][2]rune{{0xa0, 0x33ff}, {0xa000, 0xabff}, {0xd7b0, 0x1ffff}, {0x2f800, 0x2fa1d}, {0xe0000, 0xe01ef}} { // no ideographs, nor Hangul
			for r := block[0]; r <= block[1]; r++ {
				if utf8.ValidRune(r) {
					around(string(r))
				}
			}
		}
		return list
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		heap := make([]rune, 1+random.IntN(4))
		for i := range heap {
			heap[i] = interesting[random.IntN(len(interesting))]
		}
		around(string(heap))
	}
	return list
}

// TestFoldIsAsWideAsTheServers holds, for whatever a server takes for the same address: they fold to the same, the policy never
// takes the one for somebody else's than the other, and what it takes for the account's own is so to the server.
func TestFoldIsAsWideAsTheServers(t *testing.T) {
	for name, command := range preparations {
		t.Run(name, func(t *testing.T) {
			addresses := sweep(nil)
			one := prepared(t, command, addresses)
			var changed []rune
			for i, a := range addresses {
				if one[i] != a && one[i] != "" && strings.HasPrefix(a, "a") && strings.HasSuffix(a, "b@social.example") {
					r, _ := utf8.DecodeRuneInString(a[1:])
					changed = append(changed, r)
				}
			}
			require.Greater(t, len(changed), 3000)
			requireAsWide(t, addresses, one)
			heaps := sweep(append(changed, []rune("aes\u0301\u0323\u0327\u0345\u05b4\u3099\u1161\u11a8\u200d\u00df\u03c2")...))
			requireAsWide(t, heaps, prepared(t, command, heaps))
		})
	}
}

func requireAsWide(t *testing.T, addresses, prepared []string) {
	t.Helper()
	s := start(t, nobody, true)
	belongsTo := func(bare string) bool {
		identity, err := Identity{Bare: bare, Domain: bare[strings.LastIndexByte(bare, '@')+1:]}.normal()
		s.state.Identity, s.wide = identity, foldAddress(identity.Bare, identity.Domain)
		return err == nil // else nobody logs in with that
	}
	own := []class{toAccount, toSelf, toServer}
	for i, written := range addresses {
		to := prepared[i]
		if to == "" || strings.Contains(to, "/") {
			continue
		}
		require.Equal(t, strings.TrimPrefix(foldDomain(to), "@"), strings.TrimPrefix(foldDomain(written), "@"), "%+q is %+q", written, to)
		a := readAddress(written)
		if belongsTo(to) {
			require.Contains(t, append(own, toNobody), s.classify(&a), "%+q, of %+q, counts as another's", written, to)
		}
		if a.valid && ascii(a.bare) && belongsTo(a.bare) && slices.Contains(own, s.classify(&a)) {
			require.Equal(t, a.bare, to, "%+q counts as the own address, and is another's", written)
		}
	}
}
