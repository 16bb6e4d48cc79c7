package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
)

var (
	errNoIssuer = errors.New("gateway: no issuer of internal credentials")
	errHeld     = errors.New("gateway: the session has been resumed")
)

// endSessions ends the sessions it is given until ctx ends.
func (g *Gateway) endSessions(ctx context.Context, due <-chan sleeper) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-due:
			switch err := g.endSession(ctx, &s); {
			case err == nil:
				g.log.Info("gateway: waiting session ended", "account", s.account)
			case errors.Is(err, errHeld), errors.Is(err, errNoIssuer):
				g.log.Info("gateway: waiting session left alone", "account", s.account, "reason", err)
			default:
				g.log.Warn("gateway: a session waits on", "account", s.account, "tries", s.tries+1, "error", err)
				g.asleep.retry(s)
			}
		}
	}
}

// endSession logs in as the person with a secret of the gateway's own, resumes
// the session and closes it, so that the server tells the contacts of who was
// shown, and nobody of who was hidden.
func (g *Gateway) endSession(ctx context.Context, s *sleeper) error {
	ctx, cancel := context.WithTimeout(ctx, g.limits.Dial)
	defer cancel()
	state, err := g.takeState(ctx, *s)
	if err != nil {
		return err
	}
	if !s.taken {
		s.taken, s.farewell = true, g.farewell(s.account, state)
	}
	if g.cfg.Issuer == nil {
		return errNoIssuer
	}
	username, secret, err := g.cfg.Issuer.IssueInternal(ctx, s.account)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	conn, err := g.upstream.connect(ctx, netip.AddrPort{})
	if err != nil {
		return err
	}
	defer conn.Close()
	release := bounded(ctx, conn)
	defer release()
	return g.resumeAndClose(newOwnServer(conn, g.limits.Stall), plain{username, []byte(secret)}, *s)
}

// farewell is what the server has to hear before the end of a session with this
// state; without one, that nobody is there any more.
func (g *Gateway) farewell(account string, state *saved) string {
	if state != nil {
		if p, err := g.revive(account, state, policy.Consent{Presence: true}); err == nil {
			return string(p.Farewell())
		}
	}
	return "<presence xmlns='jabber:client' type='unavailable'/>"
}

// takeState deletes a session's state, so that nobody resumes it any more, and
// returns it, nil if there was none.
// errHeld: somebody has, here or through another process, under a login and a
// consent that were looked at then.
func (g *Gateway) takeState(ctx context.Context, s sleeper) (*saved, error) {
	if g.streams.owner(s.previd) != nil {
		return nil, errHeld
	}
	state, err := g.load(ctx, s.previd)
	if err != nil || state == nil {
		return nil, err
	}
	if state.Node != s.node {
		return nil, errHeld
	}
	if s.patience > 0 && state.Cut == 0 && !s.revoked && g.obeys(ctx, s.account, state) {
		return nil, errHeld
	}
	if err := g.cfg.Resumptions.DeleteResumption(ctx, resumptionKey(g.cfg.Domain, s.previd)); err != nil {
		return nil, fmt.Errorf("gateway: forgetting a resumption: %w", err)
	}
	return state, nil
}

// resumeAndClose ends the session after the farewell.
func (g *Gateway) resumeAndClose(c *server, login plain, s sleeper) error {
	if _, err := c.open(g.cfg.Domain); err != nil {
		return err
	}
	auth := login.appendAuth(nil)
	c.queue(auth)
	clear(auth)
	login.forget()
	answer, err := c.ask()
	if err != nil {
		return err
	}
	if !answer.Is(nsSASL, "success") {
		return errors.New("gateway: the server refused the internal credential")
	}
	c.restart()
	if _, err := c.open(g.cfg.Domain); err != nil {
		return err
	}
	resume := framing.AppendAttr([]byte("<resume xmlns='"+nsSM+"'"), "previd", s.previd)
	resume = framing.AppendAttr(resume, "h", strconv.FormatUint(uint64(s.handled), 10))
	c.queue(append(resume, "/>"...))
	if answer, err = c.ask(); err != nil {
		return err
	}
	if answer.Is(nsSM, "resumed") {
		c.queue([]byte(s.farewell))
	} // else there is nothing left to end
	c.queue(framing.AppendStreamEnd(nil))
	if err := c.flush(); err != nil {
		return err
	}
	for {
		item, err := c.next(c.flushNow)
		if err != nil || item.Kind == framing.StreamEnd {
			return nil // its end of the stream, or of the connection: both will do
		}
	}
}
