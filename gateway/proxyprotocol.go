package gateway

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
)

// proxySignature begins every header of the PROXY protocol, version 2 (section 2.2
// of its specification, haproxy.org/download/2.9/doc/proxy-protocol.txt).
const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// Version and command, and address family and protocol, of that section.
const (
	proxyLocal  = 0x20 // the sender speaks for itself
	proxyProxy  = 0x21 // the sender speaks for a client
	proxyUnspec = 0x00
	proxyTCP4   = 0x11
	proxyTCP6   = 0x21
)

// appendProxyHeader appends the header for a client of the server's address to.
// Without a client (the zero value) the sender speaks for itself.
//
// The header has one address family, the client's, so that the server's rules and
// bans meet the address that the client really has. A server of the other family
// is told as ::ffff:a.b.c.d, and where it has no such form as 0.0.0.0; servers
// do not look at it.
func appendProxyHeader(b []byte, client, to netip.AddrPort) []byte {
	b = append(b, proxySignature...)
	from, server := client.Addr().Unmap().WithZone(""), to.Addr().Unmap().WithZone("")
	switch {
	case from.Is4():
		if !server.Is4() {
			server = netip.IPv4Unspecified()
		}
		b = append(b, proxyProxy, proxyTCP4, 0, 12)
		b = append(b, from.AsSlice()...)
		b = append(b, server.AsSlice()...)
	case from.Is6():
		source, destination := from.As16(), netip.IPv6Unspecified().As16()
		if server.IsValid() {
			destination = server.As16()
		}
		b = append(b, proxyProxy, proxyTCP6, 0, 36)
		b = append(b, source[:]...)
		b = append(b, destination[:]...)
	default:
		return append(b, proxyLocal, proxyUnspec, 0, 0)
	}
	b = binary.BigEndian.AppendUint16(b, client.Port())
	return binary.BigEndian.AppendUint16(b, to.Port())
}

// introduce tells the server whom the connection is for, before anything else is
// said on it, TLS included. Where that is nobody it names this end of the
// connection: LOCAL says the same, but Prosody's mod_net_proxy takes the header
// for a part of the stream then.
func (u *upstream) introduce(ctx context.Context, conn net.Conn, client netip.AddrPort) error {
	to := endpoint(conn.RemoteAddr())
	if !client.Addr().IsValid() {
		client = endpoint(conn.LocalAddr())
	}
	release := bounded(ctx, conn)
	defer release()
	// One write: a receiver may expect the header in one segment.
	if _, err := conn.Write(appendProxyHeader(nil, client, to)); err != nil {
		return inTime(ctx, err)
	}
	return nil
}

// endpoint is a TCP address, or the zero value.
func endpoint(addr net.Addr) netip.AddrPort {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}
