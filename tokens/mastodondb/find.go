package mastodondb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// person is what Mastodon's database knows of a name.
type person struct {
	exists   bool
	id       string // of the account
	hash     string // "" for who signs in elsewhere
	standing string // ReasonOK or why not
	cost     int    // of the newest password, whosever it is
}

// newer are columns that not every supported Mastodon has. Whether they are
// there is asked each time, because Mastodon may be upgraded while we run, and
// asked of the catalogue rather than of information_schema, which hides what we
// may not read: then the query fails, until the admin runs RoleSQL again.
type newer struct{ requestedDeletion, require2FA bool }

const preparation = `SELECT
	EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('accounts') AND attname = 'requested_deletion_at' AND NOT attisdropped),
	EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('user_roles') AND attname = 'require_2fa' AND NOT attisdropped),
	coalesce((SELECT left(encrypted_password, 7) FROM users WHERE encrypted_password <> '' ORDER BY id DESC LIMIT 1), '')`

// find reads one person, in a transaction that cannot write.
func (c *Checker) find(ctx context.Context, username string) (p person, err error) {
	tx, err := c.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return person{}, fmt.Errorf("asking Mastodon's database: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	var has newer
	var newest string
	if err := tx.QueryRowContext(ctx, preparation).Scan(&has.requestedDeletion, &has.require2FA, &newest); err != nil {
		return person{}, fmt.Errorf("asking Mastodon's database: %w", err)
	}
	p.cost = costOf(newest)
	var unconfirmed, disabled, suspended, moved, deleted, second bool
	err = tx.QueryRowContext(ctx, query(has), username).
		Scan(&p.id, &p.hash, &unconfirmed, &disabled, &suspended, &moved, &deleted, &second)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return p, nil
	case err != nil:
		return person{}, fmt.Errorf("asking Mastodon's database: %w", err)
	}
	p.exists = true
	switch { // Mastodon's own User#functional?, the gravest first
	case deleted:
		p.standing = ReasonDeleted
	case suspended:
		p.standing = ReasonSuspended
	case disabled:
		p.standing = ReasonDisabled
	case moved:
		p.standing = ReasonMoved
	case unconfirmed:
		p.standing = ReasonUnconfirmed
	case second:
		p.standing = ReasonSecondFactor
	default:
		p.standing = ReasonOK
	}
	return p, nil
}

// query finds a local person; -99 is the instance itself among the accounts, and
// the role of those who have none among the roles. The domain is compared twice
// for the sake of Mastodon's index on names.
func query(has newer) string {
	deleted, demanded := "false", "false"
	if has.requestedDeletion {
		deleted = "a.requested_deletion_at IS NOT NULL"
	}
	if has.require2FA {
		demanded = "EXISTS (SELECT 1 FROM user_roles r WHERE r.id = coalesce(u.role_id, -99) AND r.require_2fa)"
	}
	return `SELECT a.id::text, u.encrypted_password,
			u.confirmed_at IS NULL OR NOT u.approved,
			u.disabled OR a.memorial,
			a.suspended_at IS NOT NULL,
			a.moved_to_account_id IS NOT NULL,
			` + deleted + `,
			coalesce(u.otp_required_for_login, false) OR ` + demanded + `
				OR EXISTS (SELECT 1 FROM webauthn_credentials w WHERE w.user_id = u.id)
		FROM accounts a JOIN users u ON u.account_id = a.id
		WHERE lower(a.username) = $1 AND coalesce(lower(a.domain), '') = '' AND a.domain IS NULL AND a.id > 0`
}

// costOf is the cost of the bcrypt hash that begins so.
func costOf(hash string) int {
	fields := strings.Split(hash, "$")
	if len(fields) < 3 {
		return usualCost
	}
	cost, err := strconv.Atoi(fields[2])
	if err != nil || cost < bcrypt.MinCost || cost > maxCost {
		return usualCost
	}
	return cost
}
