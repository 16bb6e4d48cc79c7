package webclient

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"
)

const (
	importWorkers  = 4   // accounts that are imported for at once
	importPortion  = 200 // people per XMPP session
	reasonLate     = "The chat server could not be reached for a whole day."
	reasonNoReply  = "The chat server did not say what became of it."
	reasonNotIn    = "Your account may not be used at the moment."
	maxItemReason  = 300
	unansweredBack = 3 // sessions that end well without a word on somebody
)

// importJob is an unfinished import, as the runner sees it between attempts.
type importJob struct {
	id, account string
	username    string
	created     time.Time
	suspended   bool
}

// importState is what the runner remembers of a job until it is done. After a
// restart it starts from nothing; what was done is in the database.
type importState struct {
	after    time.Time     // not before
	wait     time.Duration // last back-off
	blame    map[int]int   // how often an attempt broke off at this position
	unspoken map[int]int   // how often an attempt ended well without a word on it
	seq      int64         // the last number given out; read anew for each attempt
}

// attempt is the end of one XMPP session for a job.
type attempt struct {
	id, account string
	finished    bool
	progress    bool
	err         error
}

// runImports gives every unfinished job a session at a time: at most four at once,
// one per account, each for up to two hundred people, with a growing pause after
// one that failed. It owns the goroutines of the sessions.
func (s *Server) runImports(ctx context.Context) error {
	jobs := map[string]*importState{}
	busy := map[string]bool{} // accounts
	done := make(chan attempt)
	defer func() {
		for len(busy) > 0 {
			delete(busy, (<-done).account)
		}
	}()
	for {
		next, err := s.startImports(ctx, jobs, busy, done)
		s.note(ctx, "starting imports", err)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.wakeImport:
		case <-timer.C:
		case a := <-done:
			delete(busy, a.account)
			s.settle(ctx, jobs, a)
		}
		timer.Stop()
	}
}

// startImports starts what may start now and returns how long nothing else can.
func (s *Server) startImports(ctx context.Context, jobs map[string]*importState, busy map[string]bool, done chan<- attempt) (time.Duration, error) {
	next := s.pace.importMax // another process may have accepted one
	list, err := s.unfinished(ctx)
	if err != nil {
		return next, err
	}
	now := time.Now()
	for _, job := range list {
		state := jobs[job.id]
		if state == nil {
			state = &importState{blame: map[int]int{}, unspoken: map[int]int{}}
			jobs[job.id] = state
		}
		switch {
		case len(busy) >= importWorkers, busy[job.account]:
		case state.after.After(now):
			next = min(next, state.after.Sub(now))
		default:
			busy[job.account] = true
			go func() { done <- s.tryImport(ctx, job, state) }()
		}
	}
	return max(next, time.Millisecond), nil
}

// settle decides when a job goes on after an attempt.
func (s *Server) settle(ctx context.Context, jobs map[string]*importState, a attempt) {
	state := jobs[a.id]
	switch {
	case a.finished:
		delete(jobs, a.id)
		s.cfg.Log.InfoContext(ctx, "import finished", "account", a.account, "import", a.id)
	case a.err != nil && ctx.Err() == nil:
		if a.progress {
			state.wait = 0
		}
		state.wait = min(max(2*state.wait, s.pace.importRetry), s.pace.importMax)
		state.after = time.Now().Add(state.wait)
		s.cfg.Log.WarnContext(ctx, "an import attempt failed; it is tried again", "account", a.account, "import", a.id,
			"after", state.wait, "error", a.err)
	default:
		state.wait = 0
	}
	s.listeners.poke(a.id)
}

func (s *Server) unfinished(ctx context.Context) ([]importJob, error) {
	rows, err := s.cfg.DB.QueryContext(ctx, `SELECT i.id, i.account_id, a.username, i.created_at, a.suspended_at IS NOT NULL OR a.blocked_at IS NOT NULL
		FROM imports i JOIN accounts a ON a.id = i.account_id WHERE i.finished_at IS NULL ORDER BY i.created_at, i.id`)
	if err != nil {
		return nil, fmt.Errorf("webclient: imports: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var list []importJob
	for rows.Next() {
		var job importJob
		var created int64
		if err := rows.Scan(&job.id, &job.account, &job.username, &created, &job.suspended); err != nil {
			return nil, fmt.Errorf("webclient: imports: %w", err)
		}
		job.created = time.UnixMilli(created)
		list = append(list, job)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("webclient: imports: %w", err)
	}
	return list, nil
}

// tryImport does one session's worth of a job.
func (s *Server) tryImport(ctx context.Context, job importJob, state *importState) attempt {
	a := attempt{id: job.id, account: job.account}
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM import_items WHERE import_id = $1`, job.id).Scan(&state.seq)
	if err == nil && job.suspended {
		err = s.giveUp(ctx, job, state, reasonNotIn)
	} else if err == nil && s.cfg.Now().Sub(job.created) > s.pace.importGiveUp {
		err = s.giveUp(ctx, job, state, reasonLate)
	}
	var people []importItem
	if err == nil {
		people, err = s.pendingPeople(ctx, job.id, state)
	}
	if err == nil && len(people) > 0 {
		a.progress, err = s.addPeople(ctx, job, people, state)
	}
	if err == nil && len(people) == 0 {
		a.finished = true
		_, err = s.cfg.DB.ExecContext(ctx, `UPDATE imports SET finished_at = $1
			WHERE id = $2 AND finished_at IS NULL`, s.now(), job.id)
	}
	if err != nil {
		a.err, a.finished = err, false
	}
	return a
}

// importItem is somebody still to be added.
type importItem struct {
	position  int
	jid, name string
	subscribe bool
}

// pendingPeople is the next portion. Those at whom earlier sessions broke off come
// last, so that one bad address cannot hold up the rest.
func (s *Server) pendingPeople(ctx context.Context, id string, state *importState) ([]importItem, error) {
	rows, err := s.cfg.DB.QueryContext(ctx, `SELECT position, jid, name, subscribe FROM import_items
		WHERE import_id = $1 AND status = 'pending' ORDER BY position`, id)
	if err != nil {
		return nil, fmt.Errorf("webclient: import: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var people []importItem
	for rows.Next() {
		var p importItem
		if err := rows.Scan(&p.position, &p.jid, &p.name, &p.subscribe); err != nil {
			return nil, fmt.Errorf("webclient: import: %w", err)
		}
		people = append(people, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("webclient: import: %w", err)
	}
	sort.SliceStable(people, func(i, j int) bool {
		return state.blame[people[i].position] < state.blame[people[j].position]
	})
	return people[:min(len(people), importPortion)], nil
}

// addPeople has the importer add a portion and stores what it says of each person
// at once: after a crash nobody is asked about twice, and who was added without our
// knowing is found "already" there.
func (s *Server) addPeople(ctx context.Context, job importJob, people []importItem, state *importState) (progress bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.pace.importBatch)
	defer cancel()
	jids, names := make([]string, len(people)), make([]string, len(people))
	subscribe := make([]bool, len(people))
	for i, p := range people {
		jids[i], names[i], subscribe[i] = p.jid, p.name, p.subscribe
	}
	told := make([]bool, len(people))
	report := func(i int, status, reason string) error {
		if i < 0 || i >= len(people) || told[i] {
			return fmt.Errorf("webclient: import: a report on nobody (%d)", i)
		}
		if status != statusAdded && status != statusAlready && status != statusFailed {
			return fmt.Errorf("webclient: import: unknown status %q", status)
		}
		if err := s.setItem(ctx, job.id, state, people[i].position, status, reason); err != nil {
			return err
		}
		told[i], progress = true, true
		return nil
	}
	err = s.cfg.Importer.AddContacts(ctx, job.account, jids, names, subscribe, report)
	return progress, s.afterSession(ctx, job, people, told, state, err)
}

// afterSession remembers who was left out, and gives up on people whom sessions
// pass over again and again.
func (s *Server) afterSession(ctx context.Context, job importJob, people []importItem, told []bool, state *importState, err error) error {
	for i, p := range people {
		if told[i] {
			continue
		}
		if err != nil {
			state.blame[p.position]++ // the first one left out is where it broke off
			return err
		}
		state.unspoken[p.position]++
		if state.unspoken[p.position] >= unansweredBack {
			if err := s.setItem(ctx, job.id, state, p.position, statusFailed, reasonNoReply); err != nil {
				return err
			}
		}
	}
	return err
}

// setItem stores somebody's fate under the next number, once.
func (s *Server) setItem(ctx context.Context, id string, state *importState, position int, status, reason string) error {
	if letters := []rune(reason); len(letters) > maxItemReason {
		reason = string(letters[:maxItemReason])
	}
	res, err := s.cfg.DB.ExecContext(ctx, `UPDATE import_items SET status = $1, reason = $2, seq = $3
		WHERE import_id = $4 AND position = $5 AND status = 'pending'`, status, reason, state.seq+1, id, position)
	if err != nil {
		return fmt.Errorf("webclient: import: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errors.New("webclient: import: somebody else works on it"), err)
	}
	state.seq++
	s.listeners.poke(id)
	return nil
}

// giveUp fails everybody who is still pending.
func (s *Server) giveUp(ctx context.Context, job importJob, state *importState, reason string) error {
	for {
		people, err := s.pendingPeople(ctx, job.id, state)
		if err != nil || len(people) == 0 {
			return err
		}
		for _, p := range people {
			if err := s.setItem(ctx, job.id, state, p.position, statusFailed, reason); err != nil {
				return err
			}
		}
	}
}
