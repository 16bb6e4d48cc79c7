package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// step is what can fail on the way to the server, and a label in metrics.
type step string

// The steps, in the order in which they are taken.
const (
	atLookup   step = "lookup"   // names, in DNS
	atConnect  step = "connect"  // TCP
	atProxy    step = "proxy"    // the PROXY protocol's header
	atStartTLS step = "starttls" // up to <proceed/>
	atTLS      step = "tls"      // the handshake and the certificate
	atAnswer   step = "answer"   // the server's stream header and features
	atLogin    step = "login"    // that it takes passwords from us
)

var (
	errNotOffered  = errors.New("DNS says that the domain offers no such service (its record's target is a dot)")
	errNotLoopback = errors.New("it is not an address of this machine, and plain TCP is for this machine only")
	errNoPlain     = errors.New("the server offers no login by password (SASL PLAIN)")
	errTimeout     = errors.New("no answer in time")
)

// fault says which step failed, where, and what an admin can do.
type fault struct {
	step  step
	where string // host:port, or the name that was asked for
	err   error
	more  []*fault // of further addresses
}

func newFault(s step, where string, err error) *fault { return &fault{step: s, where: where, err: err} }

// asFault says where an error happened. An error that says so itself is left as
// it is.
func asFault(err error, s step, where string) *fault {
	f := (*fault)(nil)
	if errors.As(err, &f) {
		if f.where == "" {
			f.where = where
		}
		return f
	}
	lookup := (*net.DNSError)(nil)
	if errors.As(err, &lookup) {
		s = atLookup
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = errTimeout
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err // without the addresses: the one that matters is told anyway
	}
	return newFault(s, where, err)
}

// joined is one fault for all addresses that were tried; the first is the one that
// is preferred.
func joined(faults []*fault) *fault {
	all := *faults[0]
	all.more = faults[1:]
	return &all
}

// isClosed says that the server took a connection, at one of its addresses, and
// ended it before it had greeted.
func (f *fault) isClosed() bool {
	for _, one := range append([]*fault{f}, f.more...) {
		if one.step == atLookup || one.step == atConnect {
			continue
		}
		if errors.As(one.err, new(*streamErrored)) {
			return true
		}
		for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, errStreamEnded} {
			if errors.Is(one.err, end) {
				return true
			}
		}
	}
	return false
}

func (f *fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "gateway: connecting to the XMPP server: %s, %s: %v", f.step, f.where, f.err)
	for _, m := range f.more {
		fmt.Fprintf(&b, "; then %s, %s: %v", m.step, m.where, m.err)
	}
	return b.String()
}

func (f *fault) Unwrap() error { return f.err }

// problem is the fault and the advice, for people.
func (f *fault) problem(domain string) string {
	return strings.TrimPrefix(f.Error(), "gateway: connecting to the XMPP server: ") + ". " + f.advice(domain)
}

// advice is what an admin can do about the fault.
func (f *fault) advice(domain string) string {
	switch f.step {
	case atLookup:
		return f.adviceOnNames(domain)
	case atConnect:
		return f.adviceOnTCP()
	case atTLS:
		return f.adviceOnTLS(domain)
	case atStartTLS:
		return f.adviceOnStartTLS(domain)
	case atProxy:
		return "The XMPP server closed the connection at once; look into its log."
	case atAnswer:
		return f.adviceOnAnswer(domain)
	case atLogin:
		return "Let the XMPP server offer PLAIN on this port: over TLS, or, on loopback without TLS, as docs/prosody.md and docs/ejabberd.md show. " +
			"Prosody offers it only if the authentication module of " + domain + " was loaded; its log says why not."
	}
	return ""
}

func (f *fault) adviceOnNames(domain string) string {
	missing := (*net.DNSError)(nil)
	switch {
	case errors.Is(f.err, errNotOffered):
		return "Set xmpp.address, or publish the server's SRV records."
	case errors.Is(f.err, errNotLoopback):
		return "Use xmpp.tls = \"starttls\" or \"direct\", or an address such as 127.0.0.1."
	case errors.As(f.err, &missing) && missing.IsNotFound:
		return "There is no such name in DNS: check xmpp.address, or the SRV and address records of " + domain + "."
	default:
		return "DNS does not answer: check the name servers in /etc/resolv.conf of this machine."
	}
}

func (f *fault) adviceOnTCP() string {
	switch {
	case errors.Is(f.err, syscall.ECONNREFUSED):
		return "Nothing listens there: is the XMPP server running, and is this its port for clients?"
	case errors.Is(f.err, errTimeout):
		return "Nothing answers there: is the machine up, and does a firewall let this one through?"
	case errors.Is(f.err, syscall.EHOSTUNREACH), errors.Is(f.err, syscall.ENETUNREACH):
		return "There is no way from this machine to that one: check the network."
	case errors.Is(f.err, syscall.EMFILE), errors.Is(f.err, syscall.ENFILE):
		return "This process has too many open files: raise LimitNOFILE in its systemd unit."
	default:
		return "Check that the XMPP server runs, and the network between."
	}
}

func (f *fault) adviceOnTLS(domain string) string {
	var (
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(f.err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("The certificate for %s counts from %s to %s: renew it, and reload the XMPP server.",
			domain, invalid.Cert.NotBefore.Format("2006-01-02"), invalid.Cert.NotAfter.Format("2006-01-02"))
	case errors.As(f.err, &name):
		return "The XMPP server must show a certificate for " + domain + ", whatever host it runs on."
	case errors.As(f.err, &unknown):
		return "Use a certificate of an authority that this machine trusts, or put yours into /usr/local/share/ca-certificates and run update-ca-certificates."
	case errors.As(f.err, &record):
		return "The server does not speak TLS from the first byte there: use its port for direct TLS, or xmpp.tls = \"starttls\"."
	default:
		return "Look into the XMPP server's log; it may have no certificate for " + domain + "."
	}
}

func (f *fault) adviceOnStartTLS(domain string) string {
	switch {
	case errors.Is(f.err, errNoStartTLS), errors.Is(f.err, errRefusedTLS):
		return "Give the XMPP server a certificate for " + domain + " and let it offer STARTTLS on this port; for a port with TLS from the first byte use xmpp.tls = \"direct\"."
	default:
		return f.adviceOnAnswer(domain)
	}
}

func (f *fault) adviceOnAnswer(domain string) string {
	said := (*streamErrored)(nil)
	garbage := (*framing.Error)(nil)
	switch {
	case errors.As(f.err, &said) && (said.condition == string(framing.HostUnknown) || said.condition == string(framing.HostGone)):
		return "The XMPP server does not serve " + domain + ": add it there, or correct xmpp.domain."
	case errors.As(f.err, &said):
		return "Look into the XMPP server's log."
	case errors.Is(f.err, errTimeout):
		return "The server takes connections and says nothing: it hangs, or speaks TLS from the first byte (xmpp.tls = \"direct\"), or waits for a PROXY header (xmpp.proxy_protocol)."
	case errors.Is(f.err, io.EOF), errors.Is(f.err, syscall.ECONNRESET), errors.Is(f.err, syscall.EPIPE):
		return "The server closed the connection without a word: xmpp.proxy_protocol must be true exactly if the server expects a PROXY header on this port, and xmpp.tls must fit it."
	case errors.As(f.err, &garbage), errors.Is(f.err, errNoFeatures):
		return "What listens there is no XMPP server for clients: check the port."
	default:
		return "Look into the XMPP server's log."
	}
}
