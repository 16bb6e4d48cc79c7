package backend

import (
	"context"
	"strings"
	"time"
)

// Auth says whether a password is right, within thinkTime.
func (c *Core) Auth(ctx context.Context, q Question) Result {
	if q.Service == "" {
		q.Service = "xmpp"
	}
	return c.AuthBy(ctx, q, func(ctx context.Context) (v Verdict, err error) {
		v.OK, v.Reason, v.Account, v.Session, v.Credential, err =
			c.verifier.Check(ctx, q.Service, q.User, q.Secret, q.Front, q.Address)
		return v, err
	})
}

// AuthBy is Auth with another check in place of the Verifier's, for a front that
// needs more than an answer. check may still run after AuthBy has returned, and
// must not touch a request.
func (c *Core) AuthBy(ctx context.Context, q Question, check func(context.Context) (Verdict, error)) Result {
	began := time.Now()
	r := c.decide(ctx, q, check)
	c.metrics.answered(q.Front, "auth", r.Answer, time.Since(began))
	c.Record(Event{
		Front: q.Front, Caller: q.Caller, Op: "auth", Username: strings.ToLower(q.User),
		Account: r.Account, Credential: r.Credential, Address: q.Address, Outcome: string(r.Answer), Reason: r.Reason,
	})
	return r
}

func (c *Core) decide(ctx context.Context, q Question, check func(context.Context) (Verdict, error)) Result {
	if !c.ours(ctx, q) {
		return Result{Answer: No, Reason: ReasonOtherHost}
	}
	return c.ask(ctx, check)
}

// Exists says whether there is a person of this name, within thinkTime. It is not
// recorded: who writes to whom is nobody's business.
func (c *Core) Exists(ctx context.Context, q Question) Answer {
	began := time.Now()
	r := Result{Answer: No}
	if c.ours(ctx, q) {
		r = c.ask(ctx, func(ctx context.Context) (v Verdict, err error) {
			v.OK, err = c.verifier.Exists(ctx, q.User)
			return v, err
		})
	}
	c.metrics.answered(q.Front, "exists", r.Answer, time.Since(began))
	return r.Answer
}

// Record keeps what a front has decided by itself. It never blocks.
func (c *Core) Record(e Event) {
	if c.recorder != nil {
		c.recorder.Record(e)
	}
}

// ours says whether the question is about our domain.
func (c *Core) ours(ctx context.Context, q Question) bool {
	if q.Host == "" || strings.EqualFold(q.Host, c.domain) {
		return true
	}
	c.log.WarnContext(ctx, "backend: question about another host", "front", q.Front, "host", q.Host, "domain", c.domain)
	return false
}

// ask runs question and returns within thinkTime.
func (c *Core) ask(ctx context.Context, question func(context.Context) (Verdict, error)) Result {
	ctx, cancel := context.WithTimeout(ctx, thinkTime)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
	default:
		c.log.WarnContext(ctx, "backend: too many questions at once")
		return Result{Answer: Unknown, Reason: ReasonBusy}
	}
	c.metrics.waiting.Inc()
	result := make(chan Result, 1)
	go func() {
		defer func() {
			c.metrics.waiting.Dec()
			<-c.slots
		}()
		v, err := question(ctx)
		r := Result{Answer: No, Reason: v.Reason, Account: v.Account, Session: v.Session, Credential: v.Credential}
		switch {
		case err != nil:
			c.log.WarnContext(ctx, "backend: cannot tell now", "error", err)
			r = Result{Answer: Unknown, Reason: ReasonTrouble}
		case v.OK:
			r.Answer = Yes
		}
		result <- r
	}()
	select {
	case r := <-result:
		return r
	case <-ctx.Done():
		c.log.WarnContext(ctx, "backend: no answer in time")
		return Result{Answer: Unknown, Reason: ReasonLate}
	}
}
