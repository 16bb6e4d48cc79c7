package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/mux"
	"mellium.im/xmpp/roster"
	"mellium.im/xmpp/stanza"
)

// Results of AddContacts for one person.
const (
	contactAdded   = "added"
	contactAlready = "already"
	contactFailed  = "failed"
)

// contactTimeout bounds each question to the server.
const contactTimeout = 15 * time.Second

// AddContacts logs in as a person, without showing presence, and puts people
// into their contact list: jids[i] under the name names[i] ("" for none), in
// group. Where subscribe[i] is set it also asks for a presence subscription.
// What is there already is left as it is, so a job may be done again.
//
// report is called once for each i, in order, with "added", "already" or
// "failed" and for the latter a reason in plain words; an error of report ends
// the work. Other errors: the server cannot be reached, refused the login, or
// went away; people not yet reported have not been asked about, except that
// the last may have been added.
func (g *Gateway) AddContacts(ctx context.Context, username, secret string, jids, names []string, subscribe []bool,
	group string, report func(i int, status, reason string) error) error {
	if len(names) != len(jids) || len(subscribe) != len(jids) {
		return fmt.Errorf("gateway: %d addresses, %d names and %d subscriptions", len(jids), len(names), len(subscribe))
	}
	s, err := g.logIn(ctx, username, secret)
	if err != nil {
		return err
	}
	defer s.close()
	have, err := s.contacts(ctx)
	if err != nil {
		return err
	}
	for i := range jids {
		status, reason, err := s.add(ctx, have, jids[i], names[i], group, subscribe[i])
		if err != nil {
			return err
		}
		if err := report(i, status, reason); err != nil {
			return err
		}
	}
	return nil
}

// clientSession is an XMPP session of the gateway's own.
type clientSession struct {
	*xmpp.Session
	conn   net.Conn
	served chan struct{} // closed when the reading goroutine has ended
}

// logIn opens a session. The caller closes it.
func (g *Gateway) logIn(ctx context.Context, username, secret string) (*clientSession, error) {
	address, err := jid.New(username, g.cfg.Domain, "")
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	conn, err := g.upstream.connect(ctx, netip.AddrPort{})
	if err != nil {
		return nil, err
	}
	negotiation, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	// The connection is as safe as it will get: connect has seen to that.
	session, err := xmpp.NewSession(negotiation, address.Domain(), address, conn, xmpp.Secure,
		xmpp.NewNegotiator(func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
			return xmpp.StreamConfig{Features: []xmpp.StreamFeature{
				xmpp.SASL("", secret, sasl.Plain), xmpp.BindResource(),
			}}
		}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: logging in for a contact list: %w", err), conn.Close())
	}
	s := &clientSession{Session: session, conn: conn, served: make(chan struct{})}
	go func() {
		defer close(s.served)
		_ = session.Serve(mux.New(stanza.NSClient, roster.Handle(roster.Handler{ // pushes of our own changes
			Push: func(string, roster.Item) error { return nil },
		})))
		_ = conn.Close() // whoever waits for an answer waits in vain
	}()
	return s, nil
}

// close ends the session and waits for its goroutine.
func (s *clientSession) close() {
	_ = s.conn.SetDeadline(time.Now().Add(time.Second))
	_ = s.Session.Close()
	_ = s.conn.Close()
	<-s.served
}

// contacts is the contact list by bare address.
func (s *clientSession) contacts(ctx context.Context) (map[string]roster.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	var answer struct {
		Items []struct {
			JID          string   `xml:"jid,attr"`
			Name         string   `xml:"name,attr"`
			Subscription string   `xml:"subscription,attr"`
			Ask          string   `xml:"ask,attr"`
			Groups       []string `xml:"group"`
		} `xml:"item"`
	}
	query := roster.IQ{IQ: stanza.IQ{Type: stanza.GetIQ}}
	if err := s.UnmarshalIQ(ctx, query.TokenReader(), &answer); err != nil {
		return nil, fmt.Errorf("gateway: reading the contact list: %w", err)
	}
	have := make(map[string]roster.Item, len(answer.Items))
	for _, item := range answer.Items {
		if item.Ask != "" && item.Subscription == "none" {
			item.Subscription = asked
		} else if item.Ask != "" && item.Subscription == "from" {
			item.Subscription = "both" // as good as: the question is out
		}
		have[item.JID] = roster.Item{Name: item.Name, Subscription: item.Subscription, Group: item.Groups}
	}
	return have, nil
}

// asked stands for a subscription that is waiting for its answer.
const asked = "asked"

// add puts one person into the list. An error means that the session is of no
// more use.
func (s *clientSession) add(ctx context.Context, have map[string]roster.Item, address, name, group string,
	subscribe bool) (status, reason string, err error) {
	who, err := jid.Parse(address)
	if err != nil || who.Localpart() == "" {
		return contactFailed, "this is not a chat address", nil
	}
	who = who.Bare()
	if who.Equal(s.LocalAddr().Bare()) {
		return contactFailed, "this is the person's own address", nil
	}
	item, known := have[who.String()]
	status = contactAlready
	if !known || (group != "" && !slices.Contains(item.Group, group)) {
		status = contactAdded
		item = merged(item, who, name, group)
		if reason, err := s.set(ctx, item); reason != "" || err != nil {
			return contactFailed, reason, err
		}
	}
	if subscribe && item.Subscription != "to" && item.Subscription != "both" && item.Subscription != asked {
		status = contactAdded
		request := stanza.Presence{Type: stanza.SubscribePresence, To: who}
		if err := s.Send(ctx, request.Wrap(nil)); err != nil {
			return "", "", fmt.Errorf("gateway: asking for a subscription: %w", err)
		}
		item.Subscription = asked
	}
	have[who.String()] = item
	return status, "", nil
}

// merged is what the list should hold: what the person had stays.
func merged(item roster.Item, who jid.JID, name, group string) roster.Item {
	item.JID = who
	if item.Name == "" {
		item.Name = name
	}
	if group != "" {
		item.Group = append(slices.Clone(item.Group), group)
	}
	return item
}

// set stores an item. reason is the server's refusal.
func (s *clientSession) set(ctx context.Context, item roster.Item) (reason string, err error) {
	ctx, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	item.Subscription = "" // the server's to say (RFC 6121 section 2.1.2.5)
	change := roster.IQ{IQ: stanza.IQ{Type: stanza.SetIQ}}
	change.Query.Item = []roster.Item{item}
	err = s.UnmarshalIQ(ctx, change.TokenReader(), nil)
	if refusal := (stanza.Error{}); errors.As(err, &refusal) {
		return "the server refused: " + string(refusal.Condition), nil
	}
	if err != nil {
		return "", fmt.Errorf("gateway: adding a contact: %w", err)
	}
	return "", nil
}
