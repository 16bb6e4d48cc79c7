package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Trunkline is the binary as a process. Any goroutine may call its methods.
type Trunkline struct {
	binary, config, health string
	log                    *os.File

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// NewTrunkline prepares a process with this binary and configuration; Start
// starts it. It is ready when the address health answers 200, and what it writes
// goes into the file log, which is emptied first. Call Close in the end.
func NewTrunkline(binary, config, health, log string) (*Trunkline, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	return &Trunkline{binary: binary, config: config, health: health, log: file}, nil
}

// Close stops the process. Its log can still be read.
func (t *Trunkline) Close() {
	t.Stop()
	t.log.Close()
}

// Start starts the process and returns when it answers, or with what it wrote
// to its log when it did not.
func (t *Trunkline) Start(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cmd != nil {
		return nil
	}
	cmd := exec.Command(t.binary, "serve", "--config", t.config)
	cmd.Stdout, cmd.Stderr = t.log, t.log
	// A group of its own keeps Ctrl-C away from it, so that the stack can end
	// its parts in order; the death signal ends it when the stack is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("stack: trunkline: %w", err)
	}
	t.cmd, t.done = cmd, make(chan struct{})
	go func(done chan struct{}) { // ended by the process; joined by end
		_ = cmd.Wait()
		close(done)
	}(t.done)
	if err := t.await(ctx); err != nil {
		t.end(syscall.SIGKILL)
		return err
	}
	return nil
}

func (t *Trunkline) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.health, nil)
		if err != nil {
			return fmt.Errorf("stack: %w", err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-t.done:
			return fmt.Errorf("stack: trunkline ended at start:\n%s", t.Log())
		case <-ctx.Done():
			return fmt.Errorf("stack: trunkline does not answer on %s:\n%s", t.health, t.Log())
		case <-tick.C:
		}
	}
}

// Exited is closed when the process that runs now has ended, for whatever reason.
// It is nil when none is running.
func (t *Trunkline) Exited() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cmd == nil {
		return nil
	}
	return t.done
}

// Kill ends the process as a crash does.
func (t *Trunkline) Kill() { t.lockedEnd(syscall.SIGKILL) }

// Stop asks the process to end and waits; after 10 s it is killed.
func (t *Trunkline) Stop() { t.lockedEnd(syscall.SIGTERM) }

func (t *Trunkline) lockedEnd(sig syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(sig)
}

func (t *Trunkline) end(sig syscall.Signal) {
	if t.cmd == nil {
		return
	}
	_ = t.cmd.Process.Signal(sig)
	select {
	case <-t.done:
	case <-time.After(10 * time.Second):
		_ = t.cmd.Process.Kill()
		<-t.done
	}
	t.cmd = nil
}

// Run runs another subcommand under the same configuration, as an admin does
// beside the running service, and returns what it printed.
func (t *Trunkline) Run(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, t.binary, append(args, "--config", t.config)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("stack: trunkline %s: %w:\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Log returns everything that trunkline has written so far.
func (t *Trunkline) Log() string {
	raw, err := os.ReadFile(t.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// secrets are the keys of the generated configuration, kept so that a second
// start can read what the first one sealed.
type secrets struct {
	Data   string `json:"data"`
	Token  string `json:"token"`
	Verify string `json:"verify"`

	Webhook string `json:"webhook"`

	Extauth  string `json:"extauth"`
	Ejabberd string `json:"ejabberd"`
}

func loadSecrets(ctx context.Context, dir, binary string) (secrets, error) {
	var s secrets
	file := filepath.Join(dir, "secrets.json")
	raw, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := json.Unmarshal(raw, &s); err != nil {
			return s, fmt.Errorf("stack: %s: %w", file, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return s, fmt.Errorf("stack: %w", err)
	}
	for _, p := range []*string{&s.Data, &s.Token, &s.Verify, &s.Webhook, &s.Extauth, &s.Ejabberd} {
		if *p != "" { // kept from an earlier start
			continue
		}
		out, err := exec.CommandContext(ctx, binary, "config", "secret").Output()
		if err != nil {
			return s, fmt.Errorf("stack: %s config secret: %w", binary, err)
		}
		*p = string(bytes.TrimSpace(out))
	}
	raw, err = json.Marshal(s)
	if err != nil {
		return s, fmt.Errorf("stack: %w", err)
	}
	return s, os.WriteFile(file, raw, 0o600)
}

// configuration is trunkline.toml of the stack, up to its last table, which is
// that of the secrets. listen is trunkline's public port.
func configuration(dir string, p ports, s secrets, m instance, listen int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[server]\npublic_url = %q\nlisten = %q\nprivate_listen = %q", "http://"+loopback(p.Public), loopback(listen), loopback(p.Private))
	line("[mastodon]\nurl = %q\ndomain = %q", m.origin, m.domain)
	line("[xmpp]\ndomain = %q\naddress = %q\ntls = \"plain\"", m.domain, loopback(p.XMPP))
	line("[store]\nurl = %q", "sqlite:"+filepath.Join(dir, "trunkline.db"))
	line("[log]\nlevel = \"debug\"")
	line("[secrets]\ndata_keys = [%q]\ntoken_key = %q\nverify_secret = %q\nwebhook_secret = %q", s.Data, s.Token, s.Verify, s.Webhook)
	return b.String()
}

// instance is the Mastodon side as the configuration needs it.
type instance struct{ origin, domain string }

// parseInstance finds the domain in an instance document: "domain" in version
// 2, "uri" in version 1, which may be a URL on servers other than Mastodon.
func parseInstance(raw []byte) (string, error) {
	var doc struct{ Domain, URI string }
	if err := json.Unmarshal(raw, &doc); err != nil {
		return "", fmt.Errorf("stack: instance: %w", err)
	}
	domain := doc.Domain
	if domain == "" {
		domain = doc.URI
	}
	if _, host, found := strings.Cut(domain, "://"); found {
		domain = host
	}
	domain, _, _ = strings.Cut(strings.TrimSuffix(domain, "/"), ":")
	if domain == "" {
		return "", errors.New("stack: instance: no domain")
	}
	return strings.ToLower(domain), nil
}
