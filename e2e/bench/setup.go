package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trunkline-chat/trunkline/e2e/stack"
	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/tokens"
)

const domain = "social.example"

// setup is one Prosody, one trunkline before it, and a hand in its database.
type setup struct {
	gateway, prosody string // WebSocket addresses
	origin           string

	tokens *tokens.Service
	closes []func() // in reverse order
}

// start starts the two servers. On an error nothing is left running.
func start(ctx context.Context, o options) (s *setup, err error) {
	s = &setup{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	dir, err := os.MkdirTemp("", "trunkline-bench-")
	if err != nil {
		return nil, err
	}
	s.closes = append(s.closes, func() { os.RemoveAll(dir) })
	var ports [3]int
	for i := range ports {
		if ports[i], err = integration.FreePort(); err != nil {
			return nil, err
		}
	}
	s.origin = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	s.gateway = fmt.Sprintf("ws://127.0.0.1:%d/xmpp-websocket", ports[0])
	private := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	cfg, err := writeConfig(dir, ports)
	if err != nil {
		return nil, err
	}
	if err := s.openDatabase(ctx, cfg); err != nil {
		return nil, err
	}
	if err := s.startTrunkline(ctx, o.binary, dir, private+"/readyz"); err != nil {
		return nil, err
	}
	return s, s.startProsody(ctx, o, dir, cfg, private, ports[2])
}

func (s *setup) startProsody(ctx context.Context, o options, dir string, cfg *config.Config, private string, port int) error {
	module, err := filepath.Abs(o.module)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "prosody")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	p, err := integration.Launch(ctx, data, integration.ProsodyConfig{
		Domain: domain, VerifyURL: private + "/verify", VerifySecret: cfg.Secrets.VerifySecret.Reveal(),
		ModulePath: module, PrivacyLists: true, WebSocket: true, C2SPort: port,
	})
	if err != nil {
		return err
	}
	s.closes = append(s.closes, p.Stop)
	s.prosody = p.WebSocketURL()
	return nil
}

// writeConfig writes trunkline.toml and returns it as trunkline reads it.
func writeConfig(dir string, ports [3]int) (*config.Config, error) {
	var keys [3]string
	for i := range keys {
		var err error
		if keys[i], err = config.NewKey(rand.Reader); err != nil {
			return nil, err
		}
	}
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
`, ports[0], ports[0], ports[1], domain, ports[2], "sqlite:"+filepath.Join(dir, "trunkline.db"), keys[0], keys[1], keys[2])
	path := filepath.Join(dir, "trunkline.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return config.Load(path, os.Getenv)
}

// openDatabase makes the accounts and a service that issues without limits.
func (s *setup) openDatabase(ctx context.Context, cfg *config.Config) error {
	db, err := sqldb.Open(ctx, cfg.Store.URL)
	if err != nil {
		return err
	}
	s.closes = append(s.closes, func() { db.Close() })
	for name, presence := range map[string]string{"visible": "contacts", "friend": "contacts", "hidden": "nobody"} {
		if _, err := db.ExecContext(ctx, `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $1, 1, 1)`, name); err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, `INSERT INTO consents (account_id, presence, typing, receipts, text_version, changed_at)
			VALUES ($1, $2, 1, 1, 1, 1)`, name, presence); err != nil {
			return err
		}
	}
	key, err := cfg.Secrets.TokenKey.Bytes()
	if err != nil {
		return err
	}
	free := tokens.Limit{Burst: 1_000_000, Every: time.Millisecond}
	s.tokens, err = tokens.New(tokens.Config{DB: db, Key: key, AccountLimit: free, SessionLimit: free})
	return err
}

func (s *setup) startTrunkline(ctx context.Context, binary, dir, ready string) error {
	t, err := stack.NewTrunkline(binary, filepath.Join(dir, "trunkline.toml"), ready, filepath.Join(dir, "trunkline.log"))
	if err != nil {
		return err
	}
	s.closes = append(s.closes, func() {
		t.Close()
		if text := strings.TrimSpace(t.Log()); text != "" {
			fmt.Fprintln(os.Stderr, text)
		}
	})
	return t.Start(ctx)
}

// close ends everything, the last that started first.
func (s *setup) close() {
	for i := len(s.closes) - 1; i >= 0; i-- {
		s.closes[i]()
	}
	s.closes = nil
}
