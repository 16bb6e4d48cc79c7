package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/e2e/stack"
)

// control answers the orders of a browser test: POST /part/order, JSON in and
// out.
type control struct {
	ctx   context.Context // of the process: what is started here outlives the request
	stack *stack.Stack

	mu     sync.Mutex
	native map[string]*stack.Native
}

func newControl(ctx context.Context, s *stack.Stack) *control {
	return &control{ctx: ctx, stack: s, native: map[string]*stack.Native{}}
}

// order is the body of a request; which fields count depends on the order.
type order struct {
	User     string   `json:"user"`
	XML      string   `json:"xml"`
	Password string   `json:"password"`
	Seconds  int      `json:"seconds"`
	Args     []string `json:"args"`
}

func (c *control) routes() http.Handler {
	s := c.stack
	do := func(f func()) func(order) (any, error) {
		return func(order) (any, error) { f(); return nil, nil }
	}
	mux := http.NewServeMux()
	for path, f := range map[string]func(order) (any, error){
		"/server/kill":      do(s.Server.Kill),
		"/server/stop":      do(s.Server.Stop),
		"/server/start":     func(order) (any, error) { return nil, s.Server.Start(c.ctx) },
		"/server/pause":     func(order) (any, error) { return nil, s.Server.Pause() },
		"/server/continue":  func(order) (any, error) { return nil, s.Server.Continue() },
		"/server/log":       func(order) (any, error) { return s.Server.Log(), nil },
		"/trunkline/kill":   do(s.Trunkline.Kill),
		"/trunkline/stop":   do(s.Trunkline.Stop),
		"/trunkline/start":  func(order) (any, error) { return nil, s.Trunkline.Start(c.ctx) },
		"/trunkline/log":    func(order) (any, error) { return s.Trunkline.Log(), nil },
		"/trunkline/run":    func(o order) (any, error) { return s.Trunkline.Run(c.ctx, o.Args...) },
		"/front/cut":        func(order) (any, error) { return s.Front.Cut(), nil },
		"/front/mute":       do(s.Front.Mute),
		"/front/down":       do(func() { s.Front.SetDown(true) }),
		"/front/up":         do(func() { s.Front.SetDown(false) }),
		"/native/login":     c.login,
		"/native/send":      c.send,
		"/native/seen":      c.seen,
		"/native/ended":     c.ended,
		"/native/logout":    c.logout,
		"/native/try":       func(o order) (any, error) { return s.TryLogin(c.ctx, o.User, o.Password) },
		"/mastodon/webhook": func(o order) (any, error) { return nil, s.Webhook(c.ctx, o.User) },
		"/age":              func(o order) (any, error) { return nil, s.Age(c.ctx, time.Duration(o.Seconds)*time.Second) },
		"/password":         func(o order) (any, error) { return s.Password(c.ctx, o.User) },
	} {
		mux.HandleFunc("POST "+path, c.handle(f))
	}
	return mux
}

func (c *control) handle(f func(order) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := f(o)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if answer != nil {
			_ = json.NewEncoder(w).Encode(answer)
		}
	}
}

func (c *control) login(o order) (any, error) {
	login := func() (*stack.Native, error) { return c.stack.Native(c.ctx, o.User) }
	if o.Password != "" {
		login = func() (*stack.Native, error) { return c.stack.NativeWith(c.ctx, o.User, o.Password) }
	}
	n, err := login()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.native[o.User]; old != nil {
		old.Close()
	}
	c.native[o.User] = n
	return nil, nil
}

func (c *control) find(user string) (*stack.Native, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.native[user]
	if n == nil {
		return nil, fmt.Errorf("%s is not logged in natively", user)
	}
	return n, nil
}

func (c *control) send(o order) (any, error) {
	n, err := c.find(o.User)
	if err != nil {
		return nil, err
	}
	return nil, n.Send(c.ctx, o.XML)
}

func (c *control) seen(o order) (any, error) {
	n, err := c.find(o.User)
	if err != nil {
		return nil, err
	}
	return n.Seen(), nil
}

// ended is when the server ended a native session, in Unix milliseconds, 0 while
// it lives.
func (c *control) ended(o order) (any, error) {
	n, err := c.find(o.User)
	if err != nil {
		return nil, err
	}
	if at := n.Ended(); !at.IsZero() {
		return at.UnixMilli(), nil
	}
	return 0, nil
}

func (c *control) logout(o order) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.native[o.User]; n != nil {
		n.Close()
		delete(c.native, o.User)
	}
	return nil, nil
}

func (c *control) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.native {
		n.Close()
	}
}
