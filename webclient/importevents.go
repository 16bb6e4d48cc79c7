package webclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	eventPortion    = 200              // events per write
	eventWriteLimit = 10 * time.Second // for a slow reader, per portion
	maxListeners    = 8                // event streams per import
)

// listeners are the event streams that wait for an import to get on.
type listeners struct {
	mu sync.Mutex
	by map[string]map[chan struct{}]bool
}

// add returns a channel that is poked at each step of the import, and what ends
// that. ok is false where there are too many already.
func (ls *listeners) add(id string) (poke <-chan struct{}, remove func(), ok bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if len(ls.by[id]) >= maxListeners {
		return nil, nil, false
	}
	if ls.by == nil {
		ls.by = map[string]map[chan struct{}]bool{}
	}
	if ls.by[id] == nil {
		ls.by[id] = map[chan struct{}]bool{}
	}
	c := make(chan struct{}, 1)
	ls.by[id][c] = true
	return c, func() {
		ls.mu.Lock()
		defer ls.mu.Unlock()
		delete(ls.by[id], c)
		if len(ls.by[id]) == 0 {
			delete(ls.by, id)
		}
	}, true
}

// poke tells the import's listeners to look; it never waits for one.
func (ls *listeners) poke(id string) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for c := range ls.by[id] {
		wake(c)
	}
}

type itemEvent struct {
	Done   int    `json:"done"`
	Total  int    `json:"total"`
	ID     string `json:"id"`
	JID    string `json:"jid"`
	Status string `json:"status"`
	Reason string `json:"reason"`
}

type endEvent struct {
	Added   int `json:"added"`
	Already int `json:"already"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

// followImport is GET /api/v1/imports/{id}/events: server-sent events, one "item"
// for each person whose fate is known, with the number that Last-Event-ID resumes
// from, and "end" after the last. The login is read at the start and looked at from
// time to time; no session is held meanwhile.
func (s *Server) followImport(w http.ResponseWriter, r *http.Request, l login) error {
	id := r.PathValue("id")
	if _, err := s.ownImport(r.Context(), l.account, id); err != nil {
		return err
	}
	poke, remove, ok := s.listeners.add(id)
	if !ok {
		return &apiError{status: http.StatusTooManyRequests, code: "too_many_streams", retryAfter: 5 * time.Second,
			message: "This import is watched in too many windows."}
	}
	defer remove()
	stream := &eventStream{s: s, w: w, control: http.NewResponseController(w), id: id, after: lastEventID(r)}
	if err := stream.open(r.Context()); err != nil {
		return err
	}
	stream.run(r.Context(), l, poke)
	return nil
}

// lastEventID is where the client's last connection stopped. What is not a number
// of ours means the beginning.
func lastEventID(r *http.Request) int64 {
	return parseEventID(r.Header.Get("Last-Event-ID"))
}

func parseEventID(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// eventStream is one client's view of one import.
type eventStream struct {
	s       *Server
	w       http.ResponseWriter
	control *http.ResponseController
	id      string
	after   int64 // the last event sent
	total   int
}

func (e *eventStream) open(ctx context.Context) error {
	err := e.s.cfg.DB.QueryRowContext(ctx, `SELECT count(*) FROM import_items WHERE import_id = $1`, e.id).Scan(&e.total)
	if err != nil {
		return fmt.Errorf("webclient: import: %w", err)
	}
	e.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	e.w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	return nil
}

// run writes until the import has finished, the login has ended, the server stops
// or the client is gone.
func (e *eventStream) run(ctx context.Context, l login, poke <-chan struct{}) {
	heartbeat := time.NewTicker(e.s.pace.heartbeat)
	defer heartbeat.Stop()
	glance := time.NewTicker(e.s.pace.glance)
	defer glance.Stop()
	if e.write("retry: 2000\n\n") != nil {
		return
	}
	for {
		ended, err := e.catchUp(ctx)
		if ended || err != nil {
			e.s.note(ctx, "telling of an import", err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-e.s.stopped:
			return
		case <-poke:
		case <-glance.C: // another process may do the work, or have ended the login
			if _, err := e.s.liveLogin(ctx, l.id, false); err != nil {
				return
			}
		case <-heartbeat.C:
			if e.write(": still here\n\n") != nil {
				return
			}
		}
	}
}

// catchUp writes what happened since the last event sent. ended tells that the
// import has finished and all of it was told, or that the client is gone.
func (e *eventStream) catchUp(ctx context.Context) (ended bool, err error) {
	for {
		// Read first whether it has finished: what is added later belongs to the next look.
		var finished bool
		err := e.s.cfg.DB.QueryRowContext(ctx, `SELECT finished_at IS NOT NULL FROM imports WHERE id = $1`, e.id).Scan(&finished)
		if err != nil {
			return false, fmt.Errorf("webclient: import: %w", err)
		}
		text, n, err := e.portion(ctx)
		if err != nil {
			return false, err
		}
		if n > 0 {
			if e.write(text) != nil {
				return true, nil
			}
			continue
		}
		if !finished {
			return false, nil
		}
		end, err := e.summary(ctx)
		if err != nil {
			return false, err
		}
		_ = e.write(end) // the client is gone or has it
		return true, nil
	}
}

// portion is the text of the next events. A person's number is also how many are
// done: numbers are given out in order and without gaps.
func (e *eventStream) portion(ctx context.Context) (text string, n int, err error) {
	rows, err := e.s.cfg.DB.QueryContext(ctx, `SELECT seq, follow_id, jid, status, reason FROM import_items
		WHERE import_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, e.id, e.after, eventPortion)
	if err != nil {
		return "", 0, fmt.Errorf("webclient: import: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	last := e.after
	for rows.Next() {
		event := itemEvent{Total: e.total}
		if err := rows.Scan(&last, &event.ID, &event.JID, &event.Status, &event.Reason); err != nil {
			return "", 0, fmt.Errorf("webclient: import: %w", err)
		}
		event.Done = int(last)
		data, err := json.Marshal(event)
		if err != nil {
			return "", 0, fmt.Errorf("webclient: import: %w", err)
		}
		text += fmt.Sprintf("event: item\nid: %d\ndata: %s\n\n", last, data)
		n++
	}
	if err := rows.Err(); err != nil {
		return "", 0, fmt.Errorf("webclient: import: %w", err)
	}
	e.after = last
	return text, n, nil
}

func (e *eventStream) summary(ctx context.Context) (string, error) {
	var end endEvent
	for status, count := range map[string]*int{statusAdded: &end.Added, statusAlready: &end.Already,
		statusFailed: &end.Failed, statusSkipped: &end.Skipped} {
		err := e.s.cfg.DB.QueryRowContext(ctx, `SELECT count(*) FROM import_items
			WHERE import_id = $1 AND status = $2`, e.id, status).Scan(count)
		if err != nil {
			return "", fmt.Errorf("webclient: import: %w", err)
		}
	}
	data, err := json.Marshal(end)
	if err != nil {
		return "", fmt.Errorf("webclient: import: %w", err)
	}
	return fmt.Sprintf("event: end\ndata: %s\n\n", data), nil
}

// write sends text at once. A reader that does not take it in time is dropped; it
// comes back and resumes.
func (e *eventStream) write(text string) error {
	err := e.control.SetWriteDeadline(time.Now().Add(eventWriteLimit))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}
