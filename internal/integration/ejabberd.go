package integration

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Ejabberd is a server of our own. Its methods may be called by any goroutine,
// one at a time.
//
// It runs without Erlang's distribution: no node name, no cookie, no epmd, so
// that any number of them run beside each other and beside a system's own.
// Hence ejabberdctl does not reach it; Call does what it would.
type Ejabberd struct {
	dir   string
	cfg   EjabberdConfig
	ports ejabberdPorts

	process
}

var errPortTaken = errors.New("a port was taken")

// ejabberdPorts are the TCP ports of a server.
type ejabberdPorts struct {
	c2s, tls, starttls, s2s, http, https int
}

// LaunchEjabberd starts a server whose configuration, data and log are in dir,
// which must exist; data of an earlier server there is kept. It returns when
// the server answers and the configured people are known to it. Call Stop or
// Kill in the end.
func LaunchEjabberd(ctx context.Context, dir string, cfg EjabberdConfig) (*Ejabberd, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	e := &Ejabberd{dir: dir, cfg: cfg}
	for range startTries {
		if err = e.choosePorts(); err != nil {
			return nil, err
		}
		if err = cfg.write(dir, e.ports); err != nil {
			return nil, err
		}
		if err = e.Start(ctx); err == nil {
			return e, nil
		}
		if cfg.C2SPort != 0 || !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, err
}

func (e *Ejabberd) choosePorts() (err error) {
	for _, port := range []*int{&e.ports.c2s, &e.ports.tls, &e.ports.starttls, &e.ports.s2s, &e.ports.http, &e.ports.https} {
		if *port, err = FreePort(); err != nil {
			return err
		}
	}
	if e.cfg.C2SPort != 0 {
		e.ports.c2s = e.cfg.C2SPort
	}
	return nil
}

// Start runs the server again after Kill or Stop, on the same ports and data,
// and returns when it answers.
func (e *Ejabberd) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.run != nil {
		return errors.New("integration: ejabberd is already running")
	}
	args, err := e.command()
	if err != nil {
		return err
	}
	// Only what this life logs can say that a port was taken.
	before := len(e.Log())
	if err := os.Remove(e.path(readyFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("integration: %w", err)
	}
	output, err := os.OpenFile(e.path("output.log"), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	defer output.Close() // the child has its own
	r, err := spawn(output, "/usr/bin/env", args...)
	if err != nil {
		return err
	}
	e.run = r
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := e.awaitReady(ctx, r, before); err != nil {
		e.kill()
		printed, _ := os.ReadFile(output.Name()) // as much as there is
		return fmt.Errorf("integration: ejabberd did not start: %w\n%s\n%s", err, tail(string(printed), 20), tail(e.Log(), 30))
	}
	return nil
}

// command is what env(1) is called with: ejabberdctl's own line without the
// node.
func (e *Ejabberd) command() ([]string, error) {
	erl, err := exec.LookPath("erl")
	if err != nil {
		return nil, fmt.Errorf("integration: ejabberd is not installed (apt install ejabberd): %w", err)
	}
	libs, err := ejabberdLibraries()
	if err != nil {
		return nil, err
	}
	return []string{
		"HOME=" + e.dir,
		"ERL_LIBS=" + libs,
		"ERL_CRASH_DUMP=" + e.path("crash.dump"),
		"ERL_CRASH_DUMP_SECONDS=0", // none: a dump takes longer than the test
		"ERL_INETRC=" + e.path("inetrc"),
		"EJABBERD_CONFIG_PATH=" + e.path("ejabberd.yml"),
		"EJABBERD_LOG_PATH=" + e.path("ejabberd.log"),
		"CONTRIB_MODULES_PATH=" + e.path("modules"),
		erl, "-noinput", "-start_epmd", "false",
		"-mnesia", "dir", `"` + e.path("spool") + `"`,
		"-s", "ejabberd",
		"-eval", `case file:script("` + e.path(accountsFile) + `") of {ok, _} -> ok; Why -> io:format("accounts: ~p~n", [Why]) end.`,
	}, nil
}

// ejabberdLibraries is the folder in which Debian keeps ejabberd, and the
// libraries that it needs beside it.
func ejabberdLibraries() (string, error) {
	found, err := filepath.Glob("/usr/lib/*/ejabberd-*/ebin/ejabberd.beam")
	if err != nil {
		return "", fmt.Errorf("integration: %w", err)
	}
	if len(found) == 0 {
		return "", errors.New("integration: ejabberd is not installed (apt install ejabberd)")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(found[0]))), nil
}

// awaitReady returns when the server greets an XMPP client on our port and has
// made the accounts.
func (e *Ejabberd) awaitReady(ctx context.Context, r *run, logOffset int) error {
	return r.await(ctx, e.ready, func() error { return e.portTaken(logOffset) })
}

// portTaken is errPortTaken if the log says so from this offset on, else nil.
func (e *Ejabberd) portTaken(logOffset int) error {
	log := e.Log()
	if len(log) <= logOffset {
		return nil
	}
	// The latter when a port that a Config names was chosen for another one, too.
	for _, words := range []string{"address already in use", "Overlapping listeners"} {
		if strings.Contains(log[logOffset:], words) {
			return errPortTaken
		}
	}
	return nil
}

func (e *Ejabberd) ready(ctx context.Context) error {
	if _, err := os.Stat(e.path(readyFile)); err != nil {
		return errors.New("the accounts are not made yet")
	}
	if err := e.listens(ctx); err != nil {
		return err
	}
	return greets(ctx, e.Addr(), e.cfg.Domain)
}

// listens says whether each port that is configured is open; ejabberd opens them
// one by one.
func (e *Ejabberd) listens(ctx context.Context) error {
	text, err := os.ReadFile(e.path("ejabberd.yml"))
	if err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	for _, port := range []int{e.ports.tls, e.ports.starttls, e.ports.http, e.ports.https} {
		if !regexp.MustCompile(fmt.Sprintf(`port: "?%d\b`, port)).Match(text) {
			continue
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return fmt.Errorf("integration: %w", err)
		}
		if err := conn.Close(); err != nil {
			return fmt.Errorf("integration: %w", err)
		}
	}
	return nil
}

// Pause freezes the server: its sockets stay open and nothing answers. The
// programs that it started, such as extauth's, go on.
func (e *Ejabberd) Pause() error {
	if err := e.process.Pause(); err != nil {
		return err
	}
	// It has many threads, and the signal reaches them one by one.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for e.anyThreadRuns() {
		<-tick.C
	}
	return nil
}

// anyThreadRuns says whether a thread of the server is not stopped yet; where the
// system has no /proc, it knows none.
func (e *Ejabberd) anyThreadRuns() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", e.PID()))
	if err != nil {
		return false
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path) // PID (NAME) STATE …; the thread may have ended
		_, state, found := strings.Cut(string(stat), ") ")
		if err == nil && found && strings.ContainsAny(state[:1], "RSD") {
			return true
		}
	}
	return false
}

// Domain is the XMPP domain.
func (e *Ejabberd) Domain() string { return e.cfg.Domain }

// Addr is where clients connect over plain TCP, "127.0.0.1:port".
func (e *Ejabberd) Addr() string { return fmt.Sprintf("127.0.0.1:%d", e.ports.c2s) }

// TLSAddr is where clients connect over TLS from the first byte, if the
// configuration has such a listener: one that a Config has on port 5223.
func (e *Ejabberd) TLSAddr() string { return fmt.Sprintf("127.0.0.1:%d", e.ports.tls) }

// StartTLSAddr is where clients connect and then start TLS, if the
// configuration has such a listener: one that a Config has on port 5222.
func (e *Ejabberd) StartTLSAddr() string { return fmt.Sprintf("127.0.0.1:%d", e.ports.starttls) }

// Roots are the authority of the certificate that a Config's TLS listeners show,
// for Domain and localhost.
func (e *Ejabberd) Roots() (*x509.CertPool, error) {
	text, err := os.ReadFile(e.path(certificateFile))
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("integration: there is no certificate in " + certificateFile)
	}
	return pool, nil
}

// WebSocketURL is ejabberd's own RFC 7395 endpoint.
func (e *Ejabberd) WebSocketURL() string { return fmt.Sprintf("ws://127.0.0.1:%d/ws", e.ports.http) }

// APIURL is where the HTTP API is, without a slash at its end: a command is
// POSTed to APIURL()+"/"+name.
func (e *Ejabberd) APIURL() string { return fmt.Sprintf("http://127.0.0.1:%d/api", e.ports.http) }

// Log is everything that the server has logged, over all its lives.
func (e *Ejabberd) Log() string {
	b, err := os.ReadFile(e.path("ejabberd.log"))
	if err != nil {
		return ""
	}
	return string(b)
}

func (e *Ejabberd) path(name string) string { return filepath.Join(e.dir, name) }
