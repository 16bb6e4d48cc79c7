package webclient

import (
	"context"
	"fmt"
)

// reseal brings every stored secret under the first data key, so that an older key
// can leave the configuration after one start with both. What no key opens stays
// as it is: its owner signs in again.
func (s *Server) reseal(ctx context.Context) error {
	ids, err := s.texts(ctx, `SELECT id FROM accounts WHERE mastodon_token IS NOT NULL`)
	if err != nil {
		return err
	}
	moved := 0
	for _, id := range ids {
		n, err := s.resealOne(ctx, tokenPurpose(id), id,
			`SELECT mastodon_token FROM accounts WHERE id = $1`,
			`UPDATE accounts SET mastodon_token = $1 WHERE id = $2 AND mastodon_token = $3`)
		if err != nil {
			return err
		}
		moved += n
	}
	instances, err := s.texts(ctx, `SELECT instance FROM mastodon_apps WHERE instance = $1`, s.cfg.InstanceURL)
	if err != nil {
		return err
	}
	for _, instance := range instances {
		n, err := s.resealOne(ctx, s.appPurpose(), instance,
			`SELECT client_secret FROM mastodon_apps WHERE instance = $1`,
			`UPDATE mastodon_apps SET client_secret = $1 WHERE instance = $2 AND client_secret = $3`)
		if err != nil {
			return err
		}
		moved += n
	}
	if moved > 0 {
		s.cfg.Log.InfoContext(ctx, "stored secrets are sealed under the first data key now", "count", moved)
	}
	return nil
}

// resealOne reseals one row unless it was changed meanwhile, and returns how many
// rows it changed.
func (s *Server) resealOne(ctx context.Context, purpose, row, read, write string) (int, error) {
	var sealed []byte
	if err := s.cfg.DB.QueryRowContext(ctx, read, row).Scan(&sealed); err != nil {
		return 0, fmt.Errorf("webclient: reseal: %w", err)
	}
	plain, fresh, err := s.keys.open(purpose, sealed)
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "a stored secret cannot be read", "error", err)
		return 0, nil
	}
	if fresh {
		return 0, nil
	}
	again, err := s.keys.seal(purpose, plain)
	if err != nil {
		return 0, err
	}
	res, err := s.cfg.DB.ExecContext(ctx, write, again, row, sealed)
	if err != nil {
		return 0, fmt.Errorf("webclient: reseal: %w", err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
