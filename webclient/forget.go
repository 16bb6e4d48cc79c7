package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	reasonForgotten = "forgotten"
	// feedNames is how long the revocation feed names somebody who was forgotten:
	// other processes and XMPP servers must hear whose streams to close.
	feedNames = 24 * time.Hour
	// auditLate is how long a row may be on its way into the audit log.
	auditLate = time.Hour
)

// Receipt says what Forget did.
type Receipt struct {
	Username string
	Account  string           // Mastodon's id of the account
	JID      string           // the chat address
	Tables   map[string]int64 // rows deleted, by table; tables without any are left out
	At       time.Time

	// MastodonTokenRevoked tells that our access to the person's Mastodon account
	// was given back. It is false where there was none, too; then MastodonToken is.
	MastodonToken        bool
	MastodonTokenRevoked bool
}

// Text is the receipt for people, several lines.
func (r Receipt) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Forgotten at %s: %s, Mastodon account %s.\n", r.At.UTC().Format(time.RFC3339), r.Username, r.Account)
	b.WriteString("All their passwords are void and their streams are closed. Rows deleted:\n")
	for _, table := range slices.Sorted(maps.Keys(r.Tables)) {
		fmt.Fprintf(&b, "  %6d  %s\n", r.Tables[table], table)
	}
	switch {
	case r.MastodonTokenRevoked:
		b.WriteString("Trunkline's access to the Mastodon account was given back.\n")
	case r.MastodonToken:
		b.WriteString("Trunkline's access to the Mastodon account could not be given back: Mastodon did not take it.\n" +
			"It is deleted here. The person can remove Trunkline under Preferences, Account, Authorized apps.\n")
	default:
		b.WriteString("Trunkline had no access to the Mastodon account any more.\n")
	}
	fmt.Fprintf(&b, "For a day the list of revocations still names %s, so that every server closes their streams.\n", r.Username)
	fmt.Fprintf(&b, "Not deleted: what the XMPP server keeps for %s, such as contacts, the archive of\n"+
		"messages, uploaded files and rooms. Delete the account there too.\n", r.JID)
	return b.String()
}

// Forget deletes everything that is kept of username, in one transaction, after
// their streams were told to end and their Mastodon token was given back. The
// person can sign in again, as if for the first time.
//
// Another process that serves at the same time may hold audit rows that it has not
// written yet, for some seconds. They are not in the receipt; Run deletes them, in
// the hour after.
func (s *Server) Forget(ctx context.Context, username string) (Receipt, error) {
	r := Receipt{Username: strings.ToLower(strings.TrimSpace(username))}
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT id FROM accounts WHERE username = $1`, r.Username).Scan(&r.Account)
	switch {
	case noRow(err):
		return Receipt{}, fmt.Errorf("webclient: forget: nobody called %q has signed in here", r.Username)
	case err != nil:
		return Receipt{}, fmt.Errorf("webclient: forget: %w", err)
	}
	r.JID = s.jid(r.Username)
	// No login may be half made meanwhile, and from here on there is no way back.
	if err := s.exchanges.Acquire(ctx, loginShare); err != nil {
		return Receipt{}, fmt.Errorf("webclient: forget: %w", err)
	}
	defer s.exchanges.Release(loginShare)
	ctx = context.WithoutCancel(ctx)
	if err := s.cfg.Issuer.RevokeAccount(ctx, r.Account, reasonForgotten); err != nil {
		return Receipt{}, fmt.Errorf("webclient: forget: %w", err)
	}
	if r.MastodonToken, r.MastodonTokenRevoked, err = s.returnToken(ctx, r.Account); err != nil {
		return Receipt{}, err
	}
	r.At = s.cfg.Now()
	err = s.cfg.DB.Update(ctx, func(tx *sql.Tx) (err error) {
		if err := s.revokeAgain(ctx, tx, r.Account, r.Username, reasonForgotten); err != nil {
			return err
		}
		r.Tables, err = s.deletePerson(ctx, tx, r)
		return err
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("webclient: forget: %w", err)
	}
	s.asked.forget(r.Account)
	s.ended.forget(r.Account)
	s.cfg.Log.WarnContext(ctx, "account forgotten", "account", r.Account)
	return r, nil
}

// returnToken gives account's Mastodon token back. had tells that there was one.
// The caller holds all of s.exchanges.
func (s *Server) returnToken(ctx context.Context, account string) (had, revoked bool, err error) {
	sealed, err := s.sealedToken(ctx, account)
	if errors.Is(err, errLoginAgain) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	token, err := s.openToken(ctx, account, sealed)
	if err != nil {
		return true, false, nil
	}
	app, err := s.storedApp(ctx)
	if err != nil {
		return true, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.cfg.Mastodon.Revoke(ctx, app, token); err != nil {
		s.cfg.Log.WarnContext(ctx, "revoking the Mastodon token of a forgotten account failed", "account", account, "error", err)
		return true, false, nil
	}
	return true, true, nil
}

// deletePerson deletes every row that is about the person, those first that would
// vanish with others, so that each is counted.
func (s *Server) deletePerson(ctx context.Context, tx *sql.Tx, r Receipt) (map[string]int64, error) {
	deleted := map[string]int64{}
	if err := s.deleteSessions(ctx, tx, r.Account, deleted); err != nil {
		return nil, err
	}
	const mine = `(SELECT id FROM credentials WHERE account_id = $1)`
	for _, step := range []struct {
		table, where string
		args         []any
	}{
		{"sip_digests", `credential_id IN ` + mine, []any{r.Account}},
		{"access_tokens", `account_id = $1 OR credential_id IN ` + mine, []any{r.Account}},
		{"credentials", `account_id = $1`, []any{r.Account}},
		{"handoffs", `login_id IN (SELECT id FROM logins WHERE account_id = $1)`, []any{r.Account}},
		{"logins", `account_id = $1`, []any{r.Account}},
		{"consents", `account_id = $1`, []any{r.Account}},
		{"consent_changes", `account_id = $1`, []any{r.Account}},
		// What other people's follows and imports keep of this person goes, too.
		{"import_items", `import_id IN (SELECT id FROM imports WHERE account_id = $1) OR jid = $2`, []any{r.Account, r.JID}},
		{"imports", `account_id = $1`, []any{r.Account}},
		{"follows", `account_id = $1 OR id = $1`, []any{r.Account}},
		{"resumptions", `account_id = $1`, []any{r.Account}},
		{"audit", `account_id = $1 OR username = $2`, []any{r.Account, r.Username}},
		{"revocations", `account_id = $1 AND at < $2`, []any{r.Account, r.At.Add(-feedNames).UnixMilli()}},
		{"accounts", `id = $1`, []any{r.Account}},
	} {
		res, err := tx.ExecContext(ctx, `DELETE FROM `+step.table+` WHERE `+step.where, step.args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.table, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.table, err)
		}
		if n > 0 {
			deleted[step.table] += n
		}
	}
	return deleted, nil
}

// deleteSessions deletes the browser sessions that name one of account's logins.
// Which they are stands inside of them only.
func (s *Server) deleteSessions(ctx context.Context, tx *sql.Tx, account string, deleted map[string]int64) error {
	logins, err := texts(tx.QueryContext(ctx, `SELECT id FROM logins WHERE account_id = $1`, account))
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT token, data FROM browser_sessions`)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var tokens []string
	for rows.Next() {
		var token string
		var data []byte
		if err := rows.Scan(&token, &data); err != nil {
			return err
		}
		_, values, err := sessionCodec{}.Decode(data)
		login, _ := values[sessionLogin].(string)
		if err == nil && slices.Contains(logins, login) {
			tokens = append(tokens, token)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, token := range tokens {
		if _, err := tx.ExecContext(ctx, `DELETE FROM browser_sessions WHERE token = $1`, token); err != nil {
			return err
		}
		deleted["browser_sessions"]++
	}
	return nil
}

// forgetNames takes the names of forgotten people out of the revocation feed, when
// everybody must have heard whose streams to close.
func (s *Server) forgetNames(ctx context.Context) error {
	if err := s.forgetLateAudit(ctx); err != nil {
		return err
	}
	_, err := s.cfg.DB.ExecContext(ctx, `UPDATE revocations SET username = '' WHERE at < $1 AND username <> ''
		AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = revocations.account_id)`,
		s.cfg.Now().Add(-feedNames).UnixMilli())
	if err != nil {
		return fmt.Errorf("webclient: sweep: %w", err)
	}
	return nil
}

// forgetLateAudit deletes what the audit log kept of forgotten people from before
// they were forgotten: a process that had not written it yet has done so afterwards.
func (s *Server) forgetLateAudit(ctx context.Context) error {
	_, err := s.cfg.DB.ExecContext(ctx, `DELETE FROM audit WHERE seq IN (SELECT a.seq FROM revocations r
		JOIN audit a ON a.at <= r.at AND a.at > r.at - $1 AND (a.account_id = r.account_id OR a.username = r.username)
		WHERE r.kind = 'account' AND r.reason = $2 AND r.username <> '' AND r.at > $3)`,
		auditLate.Milliseconds(), reasonForgotten, s.cfg.Now().Add(-feedNames).UnixMilli())
	if err != nil {
		return fmt.Errorf("webclient: sweep: %w", err)
	}
	return nil
}
