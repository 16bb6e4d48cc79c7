package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// sleeper is a session without a stream: the XMPP server keeps it for a
// resumption (XEP-0198 section 5).
type sleeper struct {
	binding
	previd  string
	handled uint32 // the last h of the client
	shown   bool   // bound under a consent to show presence
	aware   bool   // the client takes the steps of a change of consent itself
	expires time.Time
}

// maxSleepers bounds what is remembered; the oldest are in the server's hands
// anyway.
const maxSleepers = 50_000

// hibernation knows the sessions that were cut here and may still be resumed.
// Any goroutine may call its methods.
type hibernation struct {
	now   func() time.Time
	doom  chan sleeper
	mu    sync.Mutex
	known map[string]sleeper // by SM id
}

func newHibernation(now func() time.Time) *hibernation {
	return &hibernation{now: now, doom: make(chan sleeper, 1024), known: map[string]sleeper{}}
}

// add notes a session that was cut. now is asked under the lock, so that a
// revocation or a change of consent at this very moment is not missed: it has
// either marked the stream before, or finds the session here. doomed sessions
// are ended instead.
func (h *hibernation) add(s sleeper, now func() (shown, doomed bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	shown, doomed := now()
	s.shown = shown
	switch {
	case doomed:
		h.condemn(s)
	case len(h.known) < maxSleepers:
		h.known[s.previd] = s
	}
}

func (h *hibernation) wake(previd string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.known, previd)
}

func (h *hibernation) expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	for id, s := range h.known {
		if now.After(s.expires) {
			delete(h.known, id)
		}
	}
}

// end hands the sessions that match over to be ended.
func (h *hibernation) end(match func(*sleeper) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, s := range h.known {
		if match(&s) {
			delete(h.known, id)
			h.condemn(s)
		}
	}
}

// condemn never waits: with a full queue the server's own limit ends the
// session.
func (h *hibernation) condemn(s sleeper) {
	select {
	case h.doom <- s:
	default:
	}
}

// endSessions ends condemned sessions until ctx ends.
func (g *Gateway) endSessions(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-g.asleep.doom:
			err := g.endSession(ctx, s)
			if err != nil {
				g.log.Warn("gateway: a session waits on", "account", s.account, "error", err)
				continue
			}
			g.log.Info("gateway: waiting session ended", "account", s.account)
		}
	}
}

// endSession logs in as the person with a secret of the gateway's own, resumes
// the session and closes it, so that the server tells the contacts.
func (g *Gateway) endSession(ctx context.Context, s sleeper) error {
	if g.cfg.Resumptions != nil {
		if err := g.cfg.Resumptions.DeleteResumption(ctx, resumptionKey(g.cfg.Domain, s.previd)); err != nil {
			return fmt.Errorf("gateway: forgetting a resumption: %w", err)
		}
	}
	if g.cfg.Issuer == nil {
		return errors.New("gateway: no issuer of internal credentials")
	}
	ctx, cancel := context.WithTimeout(ctx, g.limits.Dial)
	defer cancel()
	username, secret, err := g.cfg.Issuer.IssueInternal(ctx, s.account)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	conn, err := g.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return g.resumeAndClose(newServer(conn, g.limits.Stall), plain{username, []byte(secret)}, s)
}

func (g *Gateway) resumeAndClose(c *server, login plain, s sleeper) error {
	if _, err := c.open(g.cfg.Domain); err != nil {
		return err
	}
	c.queue(login.appendAuth(nil))
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
		c.queue([]byte("<presence xmlns='jabber:client' type='unavailable'/>"))
	} // else there is nothing left to end
	c.queue(framing.AppendStreamEnd(nil))
	if err := c.flush(); err != nil {
		return err
	}
	for {
		item, err := c.next()
		if err != nil || item.Kind == framing.StreamEnd {
			return nil // its end of the stream, or of the connection: both will do
		}
	}
}

// resumptionKey is under which the state of a session is kept.
func resumptionKey(domain, previd string) []byte {
	sum := sha256.Sum256([]byte("trunkline resumption\x00" + domain + "\x00" + previd))
	return sum[:]
}
