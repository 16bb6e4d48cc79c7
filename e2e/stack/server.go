package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// Lifecycle is what can be done to a server's process.
type Lifecycle interface {
	Start(ctx context.Context) error
	Stop()
	Kill()
	Pause() error
	Continue() error
}

// Server is the XMPP server of a stack.
type Server interface {
	integration.Server
	Lifecycle
	Log() string
}

var (
	_ Server = (*integration.Prosody)(nil)
	_ Server = (*integration.Ejabberd)(nil)
)

// kicker is ejabberd's account with which trunkline ends sessions.
const kicker = "trunkline@localhost"

func (s *Stack) startServer(ctx context.Context, o Options, p ports, domain string) error {
	if o.Ejabberd != "" {
		return s.startEjabberd(ctx, o, p, domain)
	}
	prosody, err := integration.Launch(ctx, filepath.Join(o.Dir, "prosody"), integration.ProsodyConfig{
		Domain:       domain,
		VerifyURL:    "http://" + loopback(p.Private) + "/verify",
		VerifySecret: s.secrets.Verify,
		ModulePath:   o.Module,
		PrivacyLists: !o.NoPrivacyLists,
		C2SPort:      p.XMPP,
	})
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	s.Server = prosody
	return nil
}

// startEjabberd runs ejabberd as docs/ejabberd.md has it: the configuration of
// contrib, which starts the binary's own extauth.
func (s *Stack) startEjabberd(ctx context.Context, o Options, p ports, domain string) error {
	text, err := os.ReadFile(o.Ejabberd)
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	dir := filepath.Join(o.Dir, "ejabberd")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	secret := filepath.Join(dir, "trunkline.secret")
	if err := os.WriteFile(secret, []byte(s.secrets.Extauth+"\n"), 0o600); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	ejabberd, err := integration.LaunchEjabberd(ctx, dir, integration.EjabberdConfig{
		Domain: domain,
		Config: strings.NewReplacer(
			"/usr/local/bin/trunkline", binary,
			"http://127.0.0.1:8081/extauth", "http://"+loopback(p.Private)+"/extauth",
			"/etc/ejabberd/trunkline.secret", secret,
		).Replace(string(text)),
		Users:   map[string]string{kicker: s.secrets.Ejabberd},
		C2SPort: p.XMPP,
	})
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	s.Server = ejabberd
	return nil
}

// ejabberdConfiguration is what trunkline.toml says more with ejabberd: the rest of
// the secrets, and where sessions are ended.
func ejabberdConfiguration(e *integration.Ejabberd, s secrets) string {
	return fmt.Sprintf("extauth_secret = %q\nejabberd_password = %q\n[ejabberd]\napi_url = %q\napi_user = %q\n",
		s.Extauth, s.Ejabberd, e.APIURL(), kicker)
}
