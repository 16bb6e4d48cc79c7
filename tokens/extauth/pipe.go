package extauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Deadline bounds each answer. ejabberd itself would wait for much longer, and
// all that come after in the same pipe with it.
const Deadline = 2 * time.Second

// margin is what is left of Deadline when the service is given up.
const margin = 100 * time.Millisecond

// maxAsked bounds what the service is asked: it takes no more than 4 KiB.
const maxAsked = 2 << 10

// Asker knows the answers: "yes", "no" or "unknown". An error is as good as
// unknown. secret is "" for all operations but "auth".
type Asker interface {
	Ask(ctx context.Context, op, user, host, secret string) (result string, err error)
}

// Pipe is a pipe between ejabberd and an Asker.
type Pipe struct {
	In    io.Reader
	Out   io.Writer
	Asker Asker
	Log   *slog.Logger // no secrets go there
}

// Run answers requests until In ends or ctx does, and then returns nil. While it
// waits for a request it does not see the end of ctx. An error means that Out or
// In broke.
func (p *Pipe) Run(ctx context.Context) error {
	buf := make([]byte, MaxFrame)
	for ctx.Err() == nil {
		frame, err := ReadFrame(p.In, buf)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			p.Log.Warn("the input ended within a request")
			return nil
		case err != nil:
			return fmt.Errorf("extauth: read: %w", err)
		}
		yes := p.answer(ctx, frame)
		clear(frame)
		if _, err := p.Out.Write(answers[yes]); err != nil {
			return fmt.Errorf("extauth: answer: %w", err)
		}
	}
	return nil
}

func (p *Pipe) answer(ctx context.Context, frame []byte) bool {
	q, err := ParseRequest(frame)
	if err != nil {
		p.Log.Warn("a request that cannot be understood is answered with no", "bytes", len(frame), "error", err)
		return false
	}
	switch {
	case q.Op == "certauth":
		return false // certificates are not ours
	case len(q.User)+len(q.Host)+len(q.Secret) > maxAsked, q.Op == "auth" && q.Secret == "":
		p.Log.Warn("a request that cannot be right is answered with no", "op", q.Op, "bytes", len(frame))
		return false
	}
	secret := q.Secret
	if q.Op != "auth" {
		secret = ""
	}
	ctx, cancel := context.WithTimeout(ctx, Deadline-margin)
	defer cancel()
	result, err := p.Asker.Ask(ctx, q.Op, q.User, q.Host, secret)
	switch {
	case err == nil && result == "yes":
		return q.Op == "auth" || q.Op == "isuser"
	case err == nil && result == "no":
		return false
	}
	yes := q.Op == "isuser"
	p.Log.Warn("cannot tell now", "request", q, "answered", map[bool]string{true: "yes", false: "no"}[yes], "error", err)
	return yes
}
