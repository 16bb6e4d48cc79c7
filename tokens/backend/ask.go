package backend

import (
	"context"
	"runtime/debug"
	"strings"
	"time"
)

// Auth says whether a password is right, within thinkTime. What Trunkline issued
// is the Verifier's to know; the Fallback, if any, is asked about the rest.
func (c *Core) Auth(ctx context.Context, q Question) Result {
	if q.Service == "" {
		q.Service = "xmpp"
	}
	if c.fallback != nil && q.Service == "xmpp" && !issued(q.Secret) {
		return c.auth(ctx, q, func(ctx context.Context) Result { return c.guess(ctx, q) })
	}
	return c.AuthBy(ctx, q, func(ctx context.Context) (v Verdict, err error) {
		v.OK, v.Reason, v.Account, v.Session, v.Credential, err =
			c.verifier.Check(ctx, q.Service, q.User, q.Secret, q.Front, q.Address)
		return v, err
	})
}

// AuthBy is Auth with another check in place of all that, for a front that needs
// more than an answer about what Trunkline issued. check may still run after
// AuthBy has returned, and must not touch a request.
func (c *Core) AuthBy(ctx context.Context, q Question, check func(context.Context) (Verdict, error)) Result {
	return c.auth(ctx, q, func(ctx context.Context) Result {
		began := time.Now()
		lane := c.devices
		if immediate(q.Secret) {
			lane = c.quick
		}
		r := c.ask(ctx, lane, check)
		if r.Answer == No && !q.Prompt {
			held := time.Now()
			c.hold(ctx, min(c.guard.mistake(q.User, q.Address), lastHold-time.Since(began)))
			r.held = time.Since(held)
		}
		return r
	})
}

// auth decides, counts and records.
func (c *Core) auth(ctx context.Context, q Question, decide func(context.Context) Result) Result {
	began := time.Now()
	r := Result{Answer: No, Reason: ReasonOtherHost}
	if c.ours(ctx, q) {
		r = decide(ctx)
	}
	c.metrics.answered(q.Front, "auth", r.Answer, time.Since(began)-r.held)
	c.Record(Event{
		Front: q.Front, Caller: q.Caller, Op: "auth", Username: strings.ToLower(q.User),
		Account: r.Account, Credential: r.Credential, Address: q.Address, Outcome: string(r.Answer), Reason: r.Reason,
	})
	return r
}

// guess asks the Fallback, if the guard lets it.
func (c *Core) guess(ctx context.Context, q Question) Result {
	t, wait := c.guard.admit(q.User, q.Address, q.Secret)
	if t == nil {
		c.metrics.throttled.WithLabelValues(q.Front).Inc()
		return Result{Answer: Unknown, Reason: ReasonThrottled, RetryAfter: wait}
	}
	lane := c.strangers
	if t.known || t.recalled {
		lane = c.regulars
	}
	r := c.ask(ctx, lane, func(ctx context.Context) (v Verdict, err error) {
		v.OK, v.Reason, err = c.fallback.Check(ctx, q.User, q.Secret)
		return v, err
	})
	t.end(r.Answer)
	return r
}

// hold keeps a wrong answer back for some time, if there is room for that.
func (c *Core) hold(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case c.guard.held <- struct{}{}:
		defer func() { <-c.guard.held }()
	default:
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Exists says whether there is a person of this name, within thinkTime. It is not
// recorded: who writes to whom is nobody's business.
func (c *Core) Exists(ctx context.Context, q Question) Answer {
	began := time.Now()
	r := Result{Answer: No}
	if c.ours(ctx, q) {
		r = c.ask(ctx, c.existence, func(ctx context.Context) (v Verdict, err error) {
			v.OK, err = c.verifier.Exists(ctx, q.User)
			return v, err
		})
	}
	c.metrics.answered(q.Front, "exists", r.Answer, time.Since(began))
	return r.Answer
}

// Welcome says whether somebody may come in with a password that the one who asks
// has found right elsewhere, within thinkTime. It is recorded: it is a login.
func (c *Core) Welcome(ctx context.Context, q Question) Result {
	began := time.Now()
	r := Result{Answer: No, Reason: ReasonOtherHost}
	if c.ours(ctx, q) {
		r = c.ask(ctx, c.quick, func(ctx context.Context) (v Verdict, err error) {
			v.Reason = ReasonUnwelcome
			if v.OK, err = c.verifier.Welcome(ctx, q.User); v.OK {
				v.Reason = ReasonOK
			}
			return v, err
		})
	}
	c.metrics.answered(q.Front, "welcome", r.Answer, time.Since(began))
	c.Record(Event{
		Front: q.Front, Caller: q.Caller, Op: "welcome", Username: strings.ToLower(q.User),
		Address: q.Address, Outcome: string(r.Answer), Reason: r.Reason,
	})
	return r
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

// lane bounds one kind of question.
type lane struct {
	room    chan struct{} // for those that wait, too
	running chan struct{}
}

func newLane(running, room int) *lane {
	return &lane{room: make(chan struct{}, room), running: make(chan struct{}, running)}
}

// ask runs question and returns within thinkTime.
func (c *Core) ask(ctx context.Context, l *lane, question func(context.Context) (Verdict, error)) Result {
	ctx, cancel := context.WithTimeout(ctx, thinkTime)
	defer cancel()
	select {
	case l.room <- struct{}{}:
	default:
		c.log.WarnContext(ctx, "backend: too many questions at once")
		return Result{Answer: Unknown, Reason: ReasonBusy}
	}
	c.metrics.waiting.Inc()
	result := make(chan Result, 1)
	go func() {
		r := c.run(ctx, l, question)
		c.metrics.waiting.Dec()
		<-l.room
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

// run puts the question when it is its turn. A question that panics is answered
// with Unknown: one bad row must not end everybody's logins.
func (c *Core) run(ctx context.Context, l *lane, question func(context.Context) (Verdict, error)) (r Result) {
	defer func() {
		if p := recover(); p != nil {
			c.metrics.panics.Inc()
			c.log.ErrorContext(ctx, "backend: a question panicked", "panic", p, "stack", string(debug.Stack()))
			r = Result{Answer: Unknown, Reason: ReasonTrouble}
		}
	}()
	select {
	case l.running <- struct{}{}:
		defer func() { <-l.running }()
	case <-ctx.Done():
		return Result{Answer: Unknown, Reason: ReasonLate}
	}
	v, err := question(ctx)
	r = Result{Answer: No, Reason: v.Reason, Account: v.Account, Session: v.Session, Credential: v.Credential}
	switch {
	case err != nil:
		c.log.WarnContext(ctx, "backend: cannot tell now", "error", err)
		r = Result{Answer: Unknown, Reason: ReasonTrouble}
	case v.OK:
		r.Answer = Yes
	}
	return r
}
