package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trunkline-chat/trunkline/e2e/bench/load"
	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/tokens"
)

const domain = "social.example"

// people are all who log in, by what they show. Trunkline and the servers know
// the same passwords, each from its own database, so that neither asks the other.
type people struct {
	shown, hidden []load.Account // who talk
	idle          []load.Account // who do not; hidden, as everybody is at first
}

func (p people) all() map[string]string {
	passwords := map[string]string{}
	for _, list := range [][]load.Account{p.shown, p.hidden, p.idle} {
		for _, a := range list {
			passwords[a.Name] = a.Password
		}
	}
	return passwords
}

// ports are where trunkline listens, and whom it is to stand before.
type ports struct{ public, private, server int }

// store is trunkline's database and keys, the same before each server.
type store struct {
	dir  string
	keys [3]string
}

func newStore(dir string) (*store, error) {
	s := &store{dir: dir}
	for i := range s.keys {
		var err error
		if s.keys[i], err = config.NewKey(rand.Reader); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// writeConfig writes a trunkline.toml and returns its path.
func (s *store) writeConfig(name string, p ports) (string, error) {
	text := fmt.Sprintf(`[server]
public_url = "http://127.0.0.1:%d"
listen = "127.0.0.1:%d"
private_listen = "127.0.0.1:%d"
[mastodon]
url = "http://127.0.0.1:1"
domain = %q
[xmpp]
address = "127.0.0.1:%d"
tls = "plain"
[store]
url = %q
[secrets]
data_keys = [%q]
token_key = %q
verify_secret = %q
[log]
level = "warn"
# As high as they go, not off: what they cost is measured.
[limits]
streams_per_address = 100000
streams_per_account = 100000
handshakes_per_address = 100000
logins_per_account = 100000
stanzas_per_stream = 1000000
stanzas_per_account = 1000000
stanzas_per_address = 1000000
bytes_per_stream = 1000000000
bytes_per_account = 1000000000
bytes_per_address = 1000000000
`, p.public, p.public, p.private, domain, p.server, "sqlite:"+filepath.Join(s.dir, "trunkline.db"), s.keys[0], s.keys[1], s.keys[2])
	path := filepath.Join(s.dir, name+".toml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// populate makes the accounts and a password for each.
func (s *store) populate(ctx context.Context, talking, idle int) (p people, err error) {
	path, err := s.writeConfig("populate", ports{public: 2, private: 3, server: 4})
	if err != nil {
		return p, err
	}
	cfg, err := config.Load(path, os.Getenv)
	if err != nil {
		return p, err
	}
	db, err := sqldb.Open(ctx, cfg.Store.URL)
	if err != nil {
		return p, err
	}
	defer db.Close()
	key, err := cfg.Secrets.TokenKey.Bytes()
	if err != nil {
		return p, err
	}
	free := tokens.Limit{Burst: 1_000_000, Every: time.Millisecond}
	service, err := tokens.New(tokens.Config{DB: db, Key: key, AccountLimit: free, SessionLimit: free})
	if err != nil {
		return p, err
	}
	index := 0
	for _, group := range []struct {
		to       *[]load.Account
		name     string
		presence string
		count    int
	}{{&p.shown, "shown", "contacts", talking}, {&p.hidden, "hidden", "nobody", talking}, {&p.idle, "idle", "nobody", idle}} {
		for i := range group.count {
			name := fmt.Sprintf("%s%05d", group.name, i)
			if _, err := db.ExecContext(ctx, `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $1, 1, 1)`, name); err != nil {
				return p, err
			}
			if _, err := db.ExecContext(ctx, `INSERT INTO consents (account_id, presence, typing, receipts, text_version, changed_at)
				VALUES ($1, $2, $3, $3, 1, 1)`, name, group.presence, group.presence != "nobody"); err != nil {
				return p, err
			}
			_, secret, err := service.IssueDevice(ctx, name, "xmpp", "bench")
			if err != nil {
				return p, err
			}
			index++
			*group.to = append(*group.to, load.Account{Name: name, Password: secret, Index: index})
		}
	}
	return p, nil
}
