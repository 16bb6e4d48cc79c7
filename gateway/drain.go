package gateway

import (
	"context"
	"time"
)

// sendAway is the longest time between two streams that are told of a
// shutdown: all at once would come back all at once.
const sendAway = 2 * time.Millisecond

// Shutdown refuses new streams, ends the live ones so that they can be resumed
// later or elsewhere, and returns when they are gone or ctx has ended. The
// streams are told one after the other, in the first third of what time ctx
// leaves, and those that are still to be told go on meanwhile. It ends no
// handler of the HTTP server.
func (g *Gateway) Shutdown(ctx context.Context) error {
	live := g.streams.drain()
	tick := time.NewTicker(sendingPace(ctx, len(live)))
	defer tick.Stop()
	for _, s := range live {
		s.finish(endShutdown)
		select {
		case <-tick.C:
		case <-s.done.wait():
		case <-ctx.Done(): // no time left: the others hear of it all the same
		}
	}
	for _, s := range live {
		select {
		case <-s.done.wait():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// sendingPace is the time between two of n streams that are told.
func sendingPace(ctx context.Context, n int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok || n == 0 {
		return sendAway
	}
	return min(sendAway, max(time.Until(deadline)/time.Duration(3*n), time.Microsecond))
}
