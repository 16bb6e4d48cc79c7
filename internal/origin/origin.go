// Package origin spells web origins as browsers do in the Origin header, so that
// they can be compared letter by letter. It is pure, and has no state.
package origin

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Of is the origin of an http or https address (RFC 6454 section 6.2): scheme,
// host and, if it is not the scheme's own, port. The host is in lower case, and in
// ASCII if it is a name beyond that. What else the address holds does not count.
func Of(u *url.URL) (string, error) {
	usual, ok := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	if !ok {
		return "", fmt.Errorf("origin: the scheme %q is neither https nor http", u.Scheme)
	}
	host, err := spellHost(u.Hostname())
	if err != nil {
		return "", err
	}
	port := u.Port()
	if port == "" && strings.HasSuffix(u.Host, ":") {
		return "", fmt.Errorf("origin: %q has no port behind its colon", u.Host)
	}
	if port == "" {
		return u.Scheme + "://" + host, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("origin: %q is no port", port)
	}
	if port = strconv.FormatUint(n, 10); port == usual {
		return u.Scheme + "://" + host, nil
	}
	return u.Scheme + "://" + host + ":" + port, nil
}

// spellHost brings a name or an address without brackets into the one spelling.
func spellHost(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		if ip.Is6() {
			return "[" + ip.String() + "]", nil
		}
		return ip.String(), nil
	}
	name, err := idna.Lookup.ToASCII(host)
	if err != nil || name == "" {
		return "", fmt.Errorf("origin: %q is not the name of a host", host)
	}
	return name, nil
}
