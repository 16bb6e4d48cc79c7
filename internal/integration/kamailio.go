package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// KamailioConfig says what a SIP server should be like: the one of
// contrib/kamailio, on the database that is named. One of the two must be.
type KamailioConfig struct {
	// SQLite is the file of Trunkline's database.
	SQLite string
	// Postgres is "postgres://USER:PASSWORD@HOST:PORT/DATABASE", all of it and
	// nothing more, of a database of Trunkline's. The password needs no escapes.
	Postgres string
	// SHA256 asks phones for that in place of MD5.
	SHA256 bool
	// Certificate and Key are files; with them the server takes TLS too.
	Certificate, Key string
	// User is the system's user that the server runs as; ours if empty. Only root
	// may name another.
	User string
}

// Kamailio is a SIP server of our own, for the domain example.org, with the
// configuration of contrib/kamailio. Any goroutine may call its methods, one at
// a time.
type Kamailio struct {
	dir  string
	cfg  KamailioConfig
	port int
	tls  int // a port

	mu   sync.Mutex
	run  *run      // nil when not running
	life io.Closer // the server runs while this is open
}

// LaunchKamailio starts a server whose configuration and log are in dir, which
// must exist. It returns when the server answers. Call Stop in the end.
func LaunchKamailio(ctx context.Context, dir string, cfg KamailioConfig) (*Kamailio, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	k := &Kamailio{dir: dir, cfg: cfg}
	for range startTries {
		if k.port, err = FreePort(); err != nil {
			return nil, err
		}
		if k.tls, err = FreePort(); err != nil {
			return nil, err
		}
		if err = k.write(); err != nil {
			return nil, err
		}
		if err = k.Start(ctx); err == nil {
			return k, nil
		}
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, err
}

// kamailioFile is contrib/kamailio/kamailio.cfg of the source tree.
func kamailioFile() (string, error) {
	modules, err := modulePath()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(modules, "..", "kamailio", "kamailio.cfg"))
	if err != nil {
		return "", fmt.Errorf("integration: %w", err)
	}
	return string(text), nil
}

// write puts the configuration into dir. It is contrib's with what an
// administrator changes, and with what cannot be the same in a test: address
// and port, fewer processes, and the log.
func (k *Kamailio) write() error {
	text, err := kamailioFile()
	if err != nil {
		return err
	}
	pairs := []string{
		"0.0.0.0:5060", k.Addr(), "0.0.0.0:5061", k.TLSAddr(), "children=4", "children=2", "log_stderror=no", "log_stderror=yes",
		"sqlite:////var/lib/trunkline/trunkline.db", "sqlite:///" + k.cfg.SQLite, "/var/lib/trunkline/trunkline.db", k.cfg.SQLite,
	}
	if k.cfg.Postgres != "" {
		pairs = append(pairs, "#!define WITH_SQLITE", "##!define WITH_SQLITE", "##!define WITH_POSTGRES", "#!define WITH_POSTGRES",
			"postgres://kamailio:THE-ROLES-PASSWORD@127.0.0.1:5432/trunkline", k.cfg.Postgres)
	}
	if k.cfg.SHA256 {
		pairs = append(pairs, "##!define WITH_SHA256", "#!define WITH_SHA256")
	}
	if k.cfg.Certificate != "" {
		pairs = append(pairs, "##!define WITH_TLS", "#!define WITH_TLS", "/etc/kamailio/sip.pem", k.cfg.Certificate, "/etc/kamailio/sip.key", k.cfg.Key)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			return fmt.Errorf("integration: contrib/kamailio/kamailio.cfg does not say %q", pairs[i])
		}
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	if err := os.WriteFile(k.path("kamailio.cfg"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	if err := os.MkdirAll(k.path("run"), 0o700); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	if err := os.Chmod(k.path("run"), 0o777); err != nil { // whoever User is
		return fmt.Errorf("integration: %w", err)
	}
	return nil
}

// kamailioLife runs a program until standard input ends, which is when whoever
// started it is gone: Kamailio is many processes, and the kernel can tie only
// the first to ours. A command in the background has no standard input unless it
// is given one.
const kamailioLife = `exec 3<&0
"$@" </dev/null 3<&- & program=$!
(read -r _ <&3; kill "$program") & watch=$!
wait "$program"; status=$?
kill "$watch" 2>/dev/null; wait "$watch"
exit $status`

// Start runs the server again after Stop and returns when it answers.
func (k *Kamailio) Start(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.run != nil {
		return errors.New("integration: kamailio is already running")
	}
	program, err := exec.LookPath("kamailio")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/kamailio"); err != nil {
			return fmt.Errorf("integration: kamailio is not installed (apt install kamailio kamailio-sqlite-modules kamailio-postgres-modules): %w", err)
		}
	}
	args := []string{"-c", kamailioLife, "kamailio", program, "-DD", "-E", "-m", "32", "-f", k.path("kamailio.cfg"), "-Y", k.path("run"), "-w", k.path("run")}
	if k.cfg.User != "" {
		args = append(args, "-u", k.cfg.User, "-g", k.cfg.User)
	}
	before := len(k.Log())
	if k.run, err = k.spawn(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := k.awaitReady(ctx, before); err != nil {
		k.stop()
		return fmt.Errorf("integration: kamailio did not start: %w\n%s", err, tail(k.Log(), 40))
	}
	return nil
}

// spawn starts the shell that holds the server's life, in a process group of
// its own. Its standard input ends when we do.
func (k *Kamailio) spawn(args []string) (*run, error) {
	output, err := os.OpenFile(k.path("kamailio.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	defer output.Close() // the child has its own
	cmd := exec.Command("/bin/sh", args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if k.life, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	r := &run{process: cmd.Process, exited: make(chan struct{})}
	go func() {
		r.err = cmd.Wait()
		close(r.exited)
	}()
	return r, nil
}

func (k *Kamailio) awaitReady(ctx context.Context, logOffset int) error {
	return k.run.await(ctx, k.answers, func() error {
		if strings.Contains(k.Log()[logOffset:], "Address already in use") {
			return errPortTaken
		}
		return nil
	})
}

// answers says whether the server answers an OPTIONS (RFC 3261 section 11).
func (k *Kamailio) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", k.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	id := strconv.FormatInt(time.Now().UnixNano(), 36)
	_, err = io.WriteString(conn, strings.Join([]string{
		"OPTIONS sip:" + k.Addr() + " SIP/2.0", "Via: SIP/2.0/UDP " + conn.LocalAddr().String() + ";branch=z9hG4bK" + id,
		"Max-Forwards: 9", "From: <sip:test@example.org>;tag=" + id, "To: <sip:" + k.Addr() + ">", "Call-ID: " + id, "CSeq: 1 OPTIONS",
		"Content-Length: 0", "", "",
	}, "\r\n"))
	if err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(answer[:n]), "SIP/2.0 200 ") {
		return fmt.Errorf("an odd answer: %q", answer[:n])
	}
	return nil
}

// Stop ends the server in an orderly way, and waits for its end.
func (k *Kamailio) Stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stop()
}

func (k *Kamailio) stop() {
	if k.run == nil {
		return
	}
	_ = k.life.Close()
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-k.run.exited:
	case <-timer.C:
		_ = syscall.Kill(-k.run.process.Pid, syscall.SIGKILL) // fails only if all have ended
		<-k.run.exited
	}
	k.run = nil
}

// Addr is where the server listens for UDP and TCP, "127.0.0.1:port".
func (k *Kamailio) Addr() string { return fmt.Sprintf("127.0.0.1:%d", k.port) }

// TLSAddr is where it listens for TLS, if it does.
func (k *Kamailio) TLSAddr() string { return fmt.Sprintf("127.0.0.1:%d", k.tls) }

// Log is everything that the server has logged, over all its lives.
func (k *Kamailio) Log() string {
	b, err := os.ReadFile(k.path("kamailio.log"))
	if err != nil {
		return ""
	}
	return string(b)
}

func (k *Kamailio) path(name string) string { return filepath.Join(k.dir, name) }
