package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddress is the address a request came from. X-Forwarded-For is read
// from its right end and only as far as trusted proxies wrote it: the entry
// that a trusted proxy did not write itself is the client. Forwarded (RFC 7239),
// X-Real-IP and the like are not looked at: a proxy that sets one of them passes
// on what a client wrote into the others.
func ClientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // a Unix socket: only the proxy in front can be there
		return lastForwarded(r, trusted, netip.Addr{})
	}
	addr := peer.Addr().Unmap().WithZone("")
	if !contains(trusted, addr) {
		return addr
	}
	return lastForwarded(r, trusted, addr)
}

func lastForwarded(r *http.Request, trusted []netip.Prefix, addr netip.Addr) netip.Addr {
	lines := r.Header.Values("X-Forwarded-For")
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; ; {
			comma := strings.LastIndexByte(rest, ',')
			hop, ok := parseHop(rest[comma+1:])
			if !ok {
				return addr
			}
			if addr = hop; !contains(trusted, addr) {
				return addr
			}
			if comma < 0 {
				break
			}
			rest = rest[:comma]
		}
	}
	return addr
}

// parseHop reads one entry: an address, with a port where a proxy adds one.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	hop, err := netip.ParseAddr(s)
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(s)
		hop = withPort.Addr()
	}
	if err != nil && strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		hop, err = netip.ParseAddr(s[1 : len(s)-1])
	}
	return hop.Unmap().WithZone(""), err == nil
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// clientEndpoint is the address a request came from, and its port if it is known:
// proxies tell the address alone.
func clientEndpoint(r *http.Request, trusted []netip.Prefix) netip.AddrPort {
	addr := ClientAddress(r, trusted)
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil && peer.Addr().Unmap() == addr {
		return netip.AddrPortFrom(addr, peer.Port())
	}
	return netip.AddrPortFrom(addr, 0)
}

// limitKey is what the per-address limit counts: an IPv4 address, or the /64
// that an IPv6 client can move about in.
func limitKey(addr netip.Addr) string {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
