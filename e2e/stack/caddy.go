package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// caddy is the reverse proxy of contrib/converse before trunkline, with
// Converse.js beside it, as an admin sets it up.
type caddy struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// startCaddy lays the folder out as docs/converse.md says and runs the Caddyfile
// of it: on listen, for browsers that know it as public, with trunkline at inner.
func startCaddy(ctx context.Context, o Options, public, listen, inner int) (*caddy, error) {
	dir := filepath.Join(o.Dir, "caddy")
	root := filepath.Join(dir, "www")
	if err := layOut(root, o); err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(o.Converse, "Caddyfile"))
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	config := "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n" + strings.NewReplacer(
		"\nchat.example.org {", fmt.Sprintf("\nhttp://:%d {", listen),
		"wss://chat.example.org", "ws://"+loopback(public),
		"/var/www/converse", root,
		"127.0.0.1:8080", loopback(inner),
	).Replace("\n"+string(text))
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	cmd := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config", path)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("stack: caddy: %w", err)
	}
	c := &caddy{cmd: cmd, done: make(chan struct{})}
	go func() { // ended by the process; joined by stop
		_ = cmd.Wait()
		close(c.done)
	}()
	if err := c.await(ctx, loopback(listen)); err != nil {
		c.stop()
		return nil, fmt.Errorf("stack: caddy: %w:\n%s", err, log.String())
	}
	return c, nil
}

// layOut puts the page of contrib and Converse.js where the web server looks.
func layOut(root string, o Options) error {
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	page, err := filepath.Abs(filepath.Join(o.Converse, "page"))
	if err != nil {
		return err
	}
	files, err := os.ReadDir(page)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Symlink(filepath.Join(page, file.Name()), filepath.Join(root, file.Name())); err != nil {
			return err
		}
	}
	library, err := filepath.Abs(o.Library)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(library, "converse.min.js")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no Converse.js in %s: run scripts/deps.sh node", library)
	}
	return os.Symlink(library, filepath.Join(root, "dist"))
}

// await returns when something listens on addr.
func (c *caddy) await(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return nil
		}
		select {
		case <-c.done:
			return errors.New("it ended at start")
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (c *caddy) stop() {
	_ = c.cmd.Process.Kill()
	<-c.done
}
