package integration

import (
	"context"
	"testing"
)

// StartProsody starts a server for one test and ends it with the test.
func StartProsody(tb testing.TB, cfg ProsodyConfig) *Prosody {
	tb.Helper()
	p, err := Launch(tb.Context(), tb.TempDir(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.Kill()
		if tb.Failed() {
			tb.Logf("prosody's log:\n%s", tail(p.Log(), 150))
		}
	})
	return p
}

// StartEjabberd starts a server for one test and ends it with the test.
func StartEjabberd(tb testing.TB, cfg EjabberdConfig) *Ejabberd {
	tb.Helper()
	e, err := LaunchEjabberd(tb.Context(), tb.TempDir(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		e.Kill()
		if tb.Failed() {
			tb.Logf("ejabberd's log:\n%s", tail(e.Log(), 150))
		}
	})
	return e
}

// StartSlapd starts a directory for one test and ends it with the test.
func StartSlapd(tb testing.TB, cfg SlapdConfig) *Slapd {
	tb.Helper()
	s, err := LaunchSlapd(tb.Context(), tb.TempDir(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Kill()
		if tb.Failed() {
			tb.Logf("slapd's log:\n%s", tail(s.Log(), 100))
		}
	})
	return s
}

// StartKamailio starts a SIP server for one test and ends it with the test.
func StartKamailio(tb testing.TB, cfg KamailioConfig) *Kamailio {
	tb.Helper()
	k, err := LaunchKamailio(tb.Context(), tb.TempDir(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		k.Stop()
		if tb.Failed() {
			tb.Logf("kamailio's log:\n%s", tail(k.Log(), 100))
		}
	})
	return k
}

// Server is any XMPP server of this package.
type Server interface {
	Addr() string   // where clients connect over TCP
	Domain() string // the XMPP domain
}

var (
	_ Server = (*Prosody)(nil)
	_ Server = (*Ejabberd)(nil)
)

// Client is a Raw whose failures end the test.
type Client struct {
	*Raw
	tb testing.TB
}

// Connect logs in and binds. The connection ends with the test.
func Connect(tb testing.TB, p Server, user, password, resource string) *Client {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), RawTimeout)
	defer cancel()
	raw, err := Dial(ctx, p.Addr(), p.Domain())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = raw.Close() })
	if err := raw.Login(ctx, user, password); err != nil {
		tb.Fatal(err)
	}
	if err := raw.Bind(ctx, resource); err != nil {
		tb.Fatal(err)
	}
	return &Client{Raw: raw, tb: tb}
}

// Say sends xml.
func (c *Client) Say(xml string) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), RawTimeout)
	defer cancel()
	if err := c.Send(ctx, xml); err != nil {
		c.tb.Fatal(err)
	}
}

// Expect drops elements until one matches; what names it in the failure.
func (c *Client) Expect(what string, match func(Element) bool) Element {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), RawTimeout)
	defer cancel()
	e, err := c.Await(ctx, match)
	if err != nil {
		c.tb.Fatalf("expected %s: %v", what, err)
	}
	return e
}

// Query sends an iq and returns its result or error.
func (c *Client) Query(iq string) Element {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), RawTimeout)
	defer cancel()
	e, err := c.Ask(ctx, iq)
	if err != nil {
		c.tb.Fatal(err)
	}
	return e
}

// Sync makes a round trip to the server and returns what came before its
// answer: after it, what the server wanted to say about everything sent by
// this client so far has been said.
func (c *Client) Sync() []Element {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), RawTimeout)
	defer cancel()
	const id = "raw-sync"
	if err := c.Send(ctx, "<iq type='get' id='"+id+"'><ping xmlns='urn:xmpp:ping'/></iq>"); err != nil {
		c.tb.Fatal(err)
	}
	var before []Element
	for {
		e, err := c.Next(ctx)
		if err != nil {
			c.tb.Fatal(err)
		}
		if e.IsReply(id) {
			return before
		}
		before = append(before, e)
	}
}
