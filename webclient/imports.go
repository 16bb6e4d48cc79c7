package webclient

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

const (
	maxImportPeople  = 10_000
	maxActiveImports = 5 // per account
	maxContactName   = 100
)

// importRequest is the body of POST /api/v1/imports. The browser says which of the
// people Mastodon told us of; it cannot say where they are reached.
type importRequest struct {
	Key    string         `json:"key"`
	People []importPerson `json:"people"`
}

type importPerson struct {
	ID        string `json:"id"`
	Subscribe bool   `json:"subscribe"`
}

// parseImport checks a body. Each person is in the result once.
func parseImport(body []byte) (importRequest, error) {
	var req importRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return importRequest{}, badRequest("The request is not the JSON that belongs here.")
	}
	if !plainID(req.Key) {
		return importRequest{}, badRequest("key is 1 to 64 visible ASCII characters.")
	}
	if len(req.People) == 0 {
		return importRequest{}, badRequest("Nobody is picked.")
	}
	if len(req.People) > maxImportPeople {
		return importRequest{}, errTooLarge
	}
	seen := make(map[string]bool, len(req.People))
	for _, p := range req.People {
		if !plainID(p.ID) {
			return importRequest{}, badRequest("A person's id is 1 to 64 visible ASCII characters.")
		}
		if seen[p.ID] {
			return importRequest{}, badRequest("Somebody is picked twice.")
		}
		seen[p.ID] = true
	}
	return req, nil
}

func plainID(id string) bool {
	odd := func(c rune) bool { return c <= ' ' || c > '~' }
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, odd)
}

// What becomes of a person in an import.
const (
	statusPending = "pending"
	statusAdded   = "added"
	statusAlready = "already"
	statusSkipped = "skipped"
	statusFailed  = "failed"
)

// Reasons for skipping, as people read them.
const (
	reasonUnknown = "Mastodon did not name this person among those you follow."
	reasonNoReach = "No chat address is known of this person."
	reasonSelf    = "This is your own address."
	reasonTwice   = "Somebody else in this import has the same address."
)

// startImport is POST /api/v1/imports: 202 with the job. The same key is the same
// job, whatever else is in the request.
func (s *Server) startImport(w http.ResponseWriter, r *http.Request, l login) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	req, err := parseImport(body)
	if err != nil {
		return err
	}
	fresh, err := s.randomText(16)
	if err != nil {
		return err
	}
	var id string
	var total int
	err = s.cfg.DB.Update(r.Context(), func(tx *sql.Tx) error {
		id, total, err = s.putImport(r.Context(), tx, l, fresh, req)
		return err
	})
	if err != nil {
		return fmt.Errorf("webclient: import: %w", err)
	}
	if id == fresh {
		s.cfg.Log.InfoContext(r.Context(), "import accepted", "account", l.account, "import", id, "people", total)
		wake(s.wakeImport)
	}
	s.answer(w, r, http.StatusAccepted, struct {
		ID    string `json:"id"`
		Total int    `json:"total"`
	}{id, total})
	return nil
}

// putImport stores a new job under the id fresh, or finds the one with the same key.
func (s *Server) putImport(ctx context.Context, tx *sql.Tx, l login, fresh string, req importRequest) (id string, total int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id, (SELECT count(*) FROM import_items WHERE import_id = imports.id)
		FROM imports WHERE account_id = $1 AND request_key = $2`, l.account, req.Key).Scan(&id, &total)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return id, total, err
	}
	var active int
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM imports WHERE account_id = $1 AND finished_at IS NULL`,
		l.account).Scan(&active)
	if err != nil {
		return "", 0, err
	}
	if active >= maxActiveImports {
		return "", 0, &apiError{status: http.StatusTooManyRequests, code: "imports_busy", retryAfter: s.pace.importMax,
			message: "Your earlier imports are still under way. Wait until one has finished."}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO imports (id, account_id, request_key, created_at)
		VALUES ($1, $2, $3, $4)`, fresh, l.account, req.Key, s.now()); err != nil {
		return "", 0, err
	}
	return fresh, len(req.People), s.putItems(ctx, tx, l, fresh, req.People)
}

// putItems stores each person with the address that Mastodon's answer gave, or with
// the reason why they are skipped.
func (s *Server) putItems(ctx context.Context, tx *sql.Tx, l login, id string, people []importPerson) error {
	find, err := tx.PrepareContext(ctx, `SELECT acct, display_name, jid FROM follows WHERE account_id = $1 AND id = $2`)
	if err != nil {
		return err
	}
	defer find.Close() //nolint:errcheck // the transaction ends it
	put, err := tx.PrepareContext(ctx, `INSERT INTO import_items
		(import_id, position, follow_id, jid, name, subscribe, status, reason, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`)
	if err != nil {
		return err
	}
	defer put.Close() //nolint:errcheck // the transaction ends it
	taken := map[string]bool{}
	seq := int64(0)
	for i, p := range people {
		var acct, name string
		var jid sql.NullString
		err := find.QueryRowContext(ctx, l.account, p.ID).Scan(&acct, &name, &jid)
		known := err == nil
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		status, reason := statusPending, s.skipReason(l, known, jid, taken)
		var at sql.NullInt64
		if reason != "" {
			seq++
			status, at = statusSkipped, sql.NullInt64{Int64: seq, Valid: true}
		}
		taken[jid.String] = true
		if _, err := put.ExecContext(ctx, id, i, p.ID, jid.String, contactName(name, acct), p.Subscribe, status, reason, at); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) skipReason(l login, known bool, jid sql.NullString, taken map[string]bool) string {
	switch {
	case !known:
		return reasonUnknown
	case !jid.Valid:
		return reasonNoReach
	case jid.String == s.jid(l.username):
		return reasonSelf
	case taken[jid.String]:
		return reasonTwice
	}
	return ""
}

// contactName is how somebody is called in the roster: their display name on one
// line, or their handle.
func contactName(display, acct string) string {
	clean := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == unicode.ReplacementChar {
			return ' '
		}
		return c
	}, display)
	clean = strings.Join(strings.Fields(clean), " ")
	if letters := []rune(clean); len(letters) > maxContactName {
		clean = strings.TrimSpace(string(letters[:maxContactName]))
	}
	if clean == "" {
		return acct
	}
	return clean
}

type importItemJSON struct {
	ID     string `json:"id"`
	JID    string `json:"jid"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Reason string `json:"reason"`
}

type importJSON struct {
	ID       string           `json:"id"`
	Total    int              `json:"total"`
	Done     int              `json:"done"`
	Finished bool             `json:"finished"`
	Items    []importItemJSON `json:"items"`
}

// showImport is GET /api/v1/imports/{id}.
func (s *Server) showImport(w http.ResponseWriter, r *http.Request, l login) error {
	out := importJSON{ID: r.PathValue("id")}
	finished, err := s.ownImport(r.Context(), l.account, out.ID)
	if err != nil {
		return err
	}
	out.Finished = finished
	if out.Items, err = s.importItems(r.Context(), out.ID); err != nil {
		return err
	}
	out.Total = len(out.Items)
	out.Done = out.Total - len(slices.DeleteFunc(slices.Clone(out.Items), func(i importItemJSON) bool {
		return i.Status != statusPending
	}))
	s.answer(w, r, http.StatusOK, out)
	return nil
}

// ownImport tells whether account's import id has finished; errNotFound if it is
// not theirs.
func (s *Server) ownImport(ctx context.Context, account, id string) (finished bool, err error) {
	var at sql.NullInt64
	err = s.cfg.DB.QueryRowContext(ctx, `SELECT finished_at FROM imports WHERE id = $1 AND account_id = $2`, id, account).Scan(&at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, errNotFound
	case err != nil:
		return false, fmt.Errorf("webclient: import: %w", err)
	}
	return at.Valid, nil
}

func (s *Server) importItems(ctx context.Context, id string) ([]importItemJSON, error) {
	rows, err := s.cfg.DB.QueryContext(ctx, `SELECT follow_id, jid, name, status, reason FROM import_items
		WHERE import_id = $1 ORDER BY position`, id)
	if err != nil {
		return nil, fmt.Errorf("webclient: import: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	items := []importItemJSON{}
	for rows.Next() {
		var i importItemJSON
		if err := rows.Scan(&i.ID, &i.JID, &i.Name, &i.Status, &i.Reason); err != nil {
			return nil, fmt.Errorf("webclient: import: %w", err)
		}
		items = append(items, i)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("webclient: import: %w", err)
	}
	return items, nil
}
