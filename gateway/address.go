package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddress is the address a request came from. X-Forwarded-For is read
// from its right end and only as far as trusted proxies wrote it: the entry
// that a trusted proxy did not write itself is the client.
func ClientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // a Unix socket: only the proxy in front can be there
		return lastForwarded(r, trusted, netip.Addr{})
	}
	addr := peer.Addr().Unmap()
	if !contains(trusted, addr) {
		return addr
	}
	return lastForwarded(r, trusted, addr)
}

func lastForwarded(r *http.Request, trusted []netip.Prefix, addr netip.Addr) netip.Addr {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap().WithZone("")
		if !contains(trusted, addr) {
			break
		}
	}
	return addr
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
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
