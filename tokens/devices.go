package tokens

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const deviceColumns = `c.id, c.account_id, c.name, c.service, coalesce(c.auth_name, ''), c.created_at,
	coalesce(c.last_used_at, 0), coalesce(c.revoked_at, 0), c.last_used_from, c.last_used_by, a.username`

// Devices lists the account's live device passwords, newest first.
func (s *Service) Devices(ctx context.Context, account string) (list []Device, err error) {
	err = s.eachDevice(ctx, func(_ string, d Device) error {
		list = append(list, d)
		return nil
	}, `AND c.account_id = $1 AND c.revoked_at IS NULL ORDER BY c.created_at DESC, c.id`, account)
	return list, err
}

// AllDevices calls f for each device password of an account, or of everybody if
// account is "", by username and newest first; revoked ones too, as long as they
// are kept (30 days). f's error ends it and comes back.
func (s *Service) AllDevices(ctx context.Context, account string, f func(username string, d Device) error) error {
	const order = ` ORDER BY a.username, c.created_at DESC, c.id`
	if account == "" {
		return s.eachDevice(ctx, f, order)
	}
	return s.eachDevice(ctx, f, `AND c.account_id = $1`+order, account)
}

// FindDevice looks for a device password, live or revoked lately, by its id.
func (s *Service) FindDevice(ctx context.Context, id string) (username string, d Device, found bool, err error) {
	err = s.eachDevice(ctx, func(name string, one Device) error {
		username, d, found = name, one, true
		return nil
	}, `AND c.id = $1`, id)
	return username, d, found, err
}

// Unused lists the live device passwords for chat apps that nobody used since
// that time, and that are older. Of SIP phones it is not known when they were
// used, so they are never among them.
func (s *Service) Unused(ctx context.Context, since time.Time) (list []Device, err error) {
	err = s.eachDevice(ctx, func(_ string, d Device) error {
		list = append(list, d)
		return nil
	}, `AND c.service = 'xmpp' AND c.revoked_at IS NULL AND coalesce(c.last_used_at, c.created_at) < $1
		ORDER BY a.username, c.created_at DESC, c.id`, since.UnixMilli())
	return list, err
}

func (s *Service) eachDevice(ctx context.Context, f func(username string, d Device) error, where string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, `SELECT `+deviceColumns+`
		FROM credentials c JOIN accounts a ON a.id = c.account_id WHERE c.purpose = 'device' `+where, args...)
	if err != nil {
		return fmt.Errorf("tokens: read devices: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			d                      Device
			username               string
			created, used, revoked int64
		)
		if err := rows.Scan(&d.ID, &d.Account, &d.Name, &d.Service, &d.AuthName, &created, &used, &revoked,
			&d.LastUsedFrom, &d.LastUsedBy, &username); err != nil {
			return fmt.Errorf("tokens: read devices: %w", err)
		}
		d.Created, d.LastUsed, d.Revoked = fromMilli(created), fromMilli(used), fromMilli(revoked)
		if err := f(username, d); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("tokens: read devices: %w", err)
	}
	return nil
}

// RevokeDevice kills one device password of this account for ever. found is
// false when it has no live one with this id. reason is a plain sentence, shown
// to the person.
func (s *Service) RevokeDevice(ctx context.Context, account, id, reason string) (found bool, err error) {
	now := s.now()
	ended := Revocation{Kind: kindCredential, Subject: id, Account: account, Purpose: purposeDevice, Reason: reason, At: now}
	err = s.db.Update(ctx, func(tx *sql.Tx) error {
		found = false
		if err := s.db.Serialize(ctx, tx, feedChannel); err != nil {
			return err
		}
		err := s.row(ctx, tx, `SELECT a.username FROM credentials c JOIN accounts a ON a.id = c.account_id
			WHERE c.id = $1 AND c.account_id = $2 AND c.purpose = 'device' AND c.revoked_at IS NULL`, id, account).
			Scan(&ended.Username)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		found = true
		if err := s.kill(ctx, tx, now, `id = $1`, id); err != nil {
			return err
		}
		return s.write(ctx, tx, ended)
	})
	if err != nil {
		return false, fmt.Errorf("tokens: revoke device: %w", err)
	}
	if !found {
		return false, nil
	}
	s.told(ctx, ended)
	s.record("revoke", ended.Username, account, id, "ok", reason)
	return true, nil
}
