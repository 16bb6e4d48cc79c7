package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The ports that phones try where no SRV record names one (RFC 3263 section 4.2).
const (
	sipPort  = 5060
	sipsPort = 5061

	// maxTypedName is more than the 253 letters of a name have in other scripts.
	maxTypedName = 1000
)

func sipCommand() command {
	return command{
		name:    "sip",
		args:    "dns [DOMAIN HOST] [--config FILE] [--tls] [--port PORT] [--tls-port PORT]",
		summary: "print what the DNS needs for a SIP server beside Trunkline",
		text: `  dns   print the records by which phones find the SIP server of a domain (RFC
        3263), for its zone file: for the people of DOMAIN the server HOST; without
        words xmpp.domain and sip.server of the configuration

  --tls            the server takes TLS, and phones should try that first
  --port PORT      where the server listens for UDP and TCP, 5060
  --tls-port PORT  where it listens for TLS, 5061
  --config FILE    the configuration (` + defaultConfig + `)`,
		run: runSIP,
	}
}

// sipZone is what the records are made of.
type sipZone struct {
	domain, host  string // absolute, in ASCII
	tls           bool
	port, tlsPort uint
}

func runSIP(c *call) int {
	if len(c.args) == 0 || c.args[0] != "dns" {
		return c.misused("sip has one word: dns")
	}
	z, path := sipZone{}, ""
	words, ok := c.parse("sip dns", c.args[1:], func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", defaultConfig, "")
		fs.BoolVar(&z.tls, "tls", false, "")
		fs.UintVar(&z.port, "port", sipPort, "")
		fs.UintVar(&z.tlsPort, "tls-port", sipsPort, "")
	})
	switch {
	case !ok:
		return exitUsage
	case len(words) != 0 && len(words) != 2:
		return c.misused("sip dns takes a domain and a host, or neither")
	case z.port < 1 || z.port > 65535 || z.tlsPort < 1 || z.tlsPort > 65535:
		return c.misused("sip dns: a port is a number from 1 to 65535")
	}
	if len(words) == 0 {
		cfg, ok := c.load(path)
		if !ok {
			return exitFailed
		}
		if cfg.SIP.Server == "" {
			return c.failed(fmt.Errorf("sip.server is not set in %s; or name a domain and a host", path))
		}
		words = []string{cfg.XMPP.Domain, cfg.SIP.Server}
	}
	var err error
	if z.domain, err = absoluteName(words[0]); err != nil {
		return c.failed(err)
	}
	if z.host, err = absoluteName(words[1]); err != nil {
		return c.failed(err)
	}
	if err := z.write(c.stdout); err != nil {
		return c.failed(err)
	}
	return exitOK
}

// absoluteName is a name of the DNS in ASCII with the dot at its end.
func absoluteName(name string) (string, error) {
	name = strings.TrimSuffix(name, ".")
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return "", fmt.Errorf("%s is an address; these records need a name, such as sip.example.org (RFC 2782)", name)
	}
	if len(name) > maxTypedName || !utf8.ValidString(name) {
		return "", errors.New("this is not a name of the DNS, such as example.org")
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil || ascii == "" {
		return "", fmt.Errorf("%q is not a name of the DNS, such as example.org", name)
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || len(label) > 63 || len(ascii) > 253 {
			return "", fmt.Errorf("%q is not a name of the DNS, such as example.org", name)
		}
	}
	return ascii + ".", nil
}

// write prints the records in the form of RFC 1035 section 5. The NAPTR records
// say what is tried in which order (RFC 3263 section 4.1), the SRV records where.
func (z sipZone) write(w io.Writer) error {
	type way struct {
		service, srv string // in NAPTR (RFC 3263 section 4.1), and before the domain
		port         uint
	}
	ways := []way{{"SIP+D2T", "_sip._tcp.", z.port}, {"SIP+D2U", "_sip._udp.", z.port}}
	if z.tls {
		ways = append([]way{{"SIPS+D2T", "_sips._tcp.", z.tlsPort}}, ways...)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "; By these records phones find the SIP server of %s\n; Further, %s needs an address (A, AAAA) and must not be an alias (CNAME)\n",
		strings.TrimSuffix(z.domain, "."), strings.TrimSuffix(z.host, "."))
	for i, y := range ways {
		fmt.Fprintf(&b, "%s 3600 IN NAPTR %d 50 \"s\" %q \"\" %s%s\n", z.domain, 10*(i+1), y.service, y.srv, z.domain)
	}
	for _, y := range ways {
		fmt.Fprintf(&b, "%s%s 3600 IN SRV 10 10 %d %s\n", y.srv, z.domain, y.port, z.host)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
