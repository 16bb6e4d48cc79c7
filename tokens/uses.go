package tokens

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

const (
	usesEvery   = 5 * time.Second // between two batches
	useAgain    = 5 * time.Minute // between two notes about one credential
	maxUses     = 1 << 16
	maxFront    = 20
	usesPatient = 2 * time.Second // for the last batch
)

// uses holds what is to be noted about who used which device password, until Run
// writes it down in one go. A login does not wait for it, and a crash loses at
// most one batch.
type uses struct {
	mu      sync.Mutex
	pending map[string]use
}

type use struct {
	at          int64
	network, by string
}

// note remembers a use, unless one is known that is recent enough. When there is
// no room it is forgotten.
func (u *uses) note(c *credential, a Attempt, now time.Time) {
	at := now.UnixMilli()
	if c.lastUsed.Valid && at-c.lastUsed.Int64 < useAgain.Milliseconds() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, known := u.pending[c.id]; known || len(u.pending) >= maxUses {
		return
	}
	u.pending[c.id] = use{at: at, network: coarse(a.From), by: a.Front[:min(len(a.Front), maxFront)]}
}

// take empties the collection.
func (u *uses) take() map[string]use {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.pending) == 0 {
		return nil
	}
	batch := u.pending
	u.pending = map[string]use{}
	return batch
}

// giveBack puts a batch that could not be written where the next one finds it.
func (u *uses) giveBack(batch map[string]use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, one := range batch {
		if len(u.pending) < maxUses {
			u.pending[id] = one
		}
	}
}

// writeUses writes down what was collected.
func (s *Service) writeUses(ctx context.Context) error {
	batch := s.uses.take()
	if batch == nil {
		return nil
	}
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, `UPDATE credentials
			SET last_used_at = $1, first_used_at = coalesce(first_used_at, $1), last_used_from = $2, last_used_by = $3
			WHERE id = $4 AND revoked_at IS NULL`)
		if err != nil {
			return err
		}
		defer stmt.Close()
		for id, u := range batch {
			if _, err := stmt.ExecContext(ctx, u.at, u.network, u.by, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.uses.giveBack(batch)
		return fmt.Errorf("tokens: note uses: %w", err)
	}
	return nil
}

// carrier is what carriers number their customers from (RFC 6598).
var carrier = netip.MustParsePrefix("100.64.0.0/10")

// coarse is the network of an address, /24 or for IPv6 /48: enough to recognise
// home and work by, not enough to find a person. Addresses that say nothing
// about where somebody is, and what is no address, give "".
func coarse(from string) string {
	addr, err := netip.ParseAddr(from)
	if err != nil {
		withPort, err := netip.ParseAddrPort(from)
		if err != nil {
			return ""
		}
		addr = withPort.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || carrier.Contains(addr) {
		return ""
	}
	bits := 24
	if addr.Is6() {
		bits = 48
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}
