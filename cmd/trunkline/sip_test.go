package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

func TestSIPRecords(t *testing.T) {
	code, out, stderr := start(t, "sip", "dns", "example.org", "sip.example.org")
	require.Equal(t, exitOK, code, stderr)
	assert.Equal(t, `; By these records phones find the SIP server of example.org
; Further, sip.example.org needs an address (A, AAAA) and must not be an alias (CNAME)
example.org. 3600 IN NAPTR 10 50 "s" "SIP+D2T" "" _sip._tcp.example.org.
example.org. 3600 IN NAPTR 20 50 "s" "SIP+D2U" "" _sip._udp.example.org.
_sip._tcp.example.org. 3600 IN SRV 10 10 5060 sip.example.org.
_sip._udp.example.org. 3600 IN SRV 10 10 5060 sip.example.org.
`, out)
	code, out, stderr = start(t, "sip", "dns", "--tls", "Bücher.example.", "SIP.example.org", "--port", "5070", "--tls-port", "5071")
	require.Equal(t, exitOK, code, stderr)
	assert.Contains(t, out, `
xn--bcher-kva.example. 3600 IN NAPTR 10 50 "s" "SIPS+D2T" "" _sips._tcp.xn--bcher-kva.example.
xn--bcher-kva.example. 3600 IN NAPTR 20 50 "s" "SIP+D2T" "" _sip._tcp.xn--bcher-kva.example.
xn--bcher-kva.example. 3600 IN NAPTR 30 50 "s" "SIP+D2U" "" _sip._udp.xn--bcher-kva.example.
_sips._tcp.xn--bcher-kva.example. 3600 IN SRV 10 10 5071 sip.example.org.
_sip._tcp.xn--bcher-kva.example. 3600 IN SRV 10 10 5070 sip.example.org.
`)
}

func TestSIPRecordsOfTheConfiguration(t *testing.T) {
	path := writeConfig(t, "[sip]\nserver = \"phones.example.org\"\n")
	code, out, stderr := start(t, "sip", "dns", "--config", path)
	require.Equal(t, exitOK, code, stderr)
	assert.Contains(t, out, " 5060 phones.example.org.\n")
	code, _, stderr = start(t, "sip", "dns", "--config", writeConfig(t, ""))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "sip.server is not set")
}

func TestSIPNamesThatAreNone(t *testing.T) {
	for name, says := range map[string]string{
		"192.0.2.7": "is an address", "2001:db8::7": "is an address", "a..example": "is not a name", "a b.example": "is not a name",
		strings.Repeat("a", 64) + ".example": "is not a name", "example.org\n@": "is not a name", "": "is not a name", "_.;": "is not a name",
		strings.Repeat("abcdefgh.", 30) + "example": "is not a name", strings.Repeat("a.", 600): "is not a name", "\x80": "is not a name",
	} {
		code, out, stderr := start(t, "sip", "dns", "example.org", name)
		assert.Equal(t, exitFailed, code, name)
		assert.Empty(t, out, name)
		assert.Contains(t, stderr, says, name)
	}
	for _, args := range []string{"sip", "sip srv", "sip dns example.org", "sip dns a.example b.example c.example", "sip dns a.example b.example --port 0", "sip dns a.example b.example --tls-port 70000"} {
		code, out, stderr := start(t, strings.Fields(args)...)
		assert.Equal(t, exitUsage, code, args)
		assert.Empty(t, out)
		assert.Contains(t, stderr, "trunkline help")
	}
}

// FuzzAbsoluteName: what is printed is a name that the DNS can carry, on one
// line and of one word.
func FuzzAbsoluteName(f *testing.F) {
	for _, s := range []string{"example.org", "bücher.example.", "xn--", "192.0.2.7", "a b", "ß.example", "a\\.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ascii, err := absoluteName(name)
		if err != nil {
			return
		}
		if strings.ContainsAny(ascii, " \t\r\n;\"\\()@$") || !strings.HasSuffix(ascii, ".") {
			t.Fatalf("%q became %q", name, ascii)
		}
		if again, err := absoluteName(ascii); err != nil || again != ascii {
			t.Fatalf("%q became %q and then %q, %v", name, ascii, again, err)
		}
		n, err := dnsmessage.NewName(ascii)
		if err != nil {
			t.Fatal(err)
		}
		b := dnsmessage.NewBuilder(nil, dnsmessage.Header{})
		if err := b.StartQuestions(); err != nil {
			t.Fatal(err)
		}
		if err := b.Question(dnsmessage.Question{Name: n, Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET}); err != nil {
			t.Fatalf("%q: %v", ascii, err)
		}
	})
}
