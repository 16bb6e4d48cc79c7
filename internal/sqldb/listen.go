package sqldb

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const firstReconnect, longestReconnect = 250 * time.Millisecond, 30 * time.Second

// listening owns the goroutines of Listen, each with a connection of its own.
type listening struct {
	cfg  *pgx.ConnConfig
	ctx  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup
}

func newListening(cfg *pgx.ConnConfig) *listening {
	l := &listening{cfg: cfg}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

func (l *listening) end() {
	l.stop()
	l.all.Wait()
}

// Listen returns a channel that holds a token after a Notify, until ctx or the
// database ends. Tokens do not pile up, and one more comes whenever the
// connection was made anew, for what was missed. Without a connection none
// come at all, so a follower reads everything that is new at each token and
// polls now and then besides. On SQLite, and with listen=off in the URL, the
// channel is nil: it never fires. The goroutine behind it belongs to the DB.
func (db *DB) Listen(ctx context.Context, channel string) <-chan struct{} {
	l := db.listening
	if l == nil || !isName(channel) {
		return nil
	}
	tokens := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(l.ctx, cancel)
	l.all.Go(func() {
		defer cancel()
		defer unhook()
		l.run(ctx, channel, tokens)
	})
	return tokens
}

// run listens until ctx ends, over as many connections as that takes.
func (l *listening) run(ctx context.Context, channel string, tokens chan<- struct{}) {
	pause := firstReconnect
	for ctx.Err() == nil {
		if l.hear(ctx, channel, tokens) {
			pause = firstReconnect
		}
		wait := time.NewTimer(pause/2 + time.Duration(jitter(int64(pause))))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
		pause = min(2*pause, longestReconnect)
	}
}

// hear listens on one connection until that or ctx ends; connected says whether
// there was one at all.
func (l *listening) hear(ctx context.Context, channel string, tokens chan<- struct{}) (connected bool) {
	conn, err := pgx.ConnectConfig(ctx, l.cfg.Copy())
	if err != nil {
		return false
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it is over either way
	if _, err := conn.Exec(ctx, "LISTEN trunkline_"+channel); err != nil {
		return false
	}
	for {
		select {
		case tokens <- struct{}{}:
		default: // there is one already
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true
		}
	}
}
