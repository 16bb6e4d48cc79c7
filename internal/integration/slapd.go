package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// SlapdConfig says what a directory should be like. The zero value is one for
// dc=example,dc=org with nobody in it.
type SlapdConfig struct {
	// Suffix is the DN of the whole; "dc=example,dc=org" if empty. People are
	// below ou=people in it.
	Suffix string

	// People are those in it, name to password. Each is an inetOrgPerson with uid,
	// cn, sn and mail.
	People map[string]string

	// ReaderPassword is that of cn=reader below the suffix, the account that may
	// search; "reader's secret" if empty. Nobody else may read anything.
	ReaderPassword string
}

func (c SlapdConfig) complete() SlapdConfig {
	if c.Suffix == "" {
		c.Suffix = "dc=example,dc=org"
	}
	if c.ReaderPassword == "" {
		c.ReaderPassword = "reader's secret"
	}
	return c
}

// Slapd is a directory of our own: OpenLDAP's server. Its methods may be called
// by any goroutine, one at a time.
type Slapd struct {
	dir  string
	cfg  SlapdConfig
	port int

	process
}

// LaunchSlapd starts a directory whose configuration, data and log are in dir,
// which must exist and be empty. It returns when the directory answers. Call
// Stop or Kill in the end.
func LaunchSlapd(ctx context.Context, dir string, cfg SlapdConfig) (*Slapd, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	s := &Slapd{dir: dir, cfg: cfg.complete()}
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	for range startTries {
		if s.port, err = FreePort(); err != nil {
			return nil, err
		}
		if err = s.Start(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// slapdProgram finds a program of Debian's package slapd.
func slapdProgram(name string) (string, error) {
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("integration: %s is not installed (apt install slapd)", name)
}

// fill writes the configuration and loads the people.
func (s *Slapd) fill(ctx context.Context) error {
	data := filepath.Join(s.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	configuration := fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile "%[1]s/slapd.pid"
database mdb
directory "%[1]s/data"
suffix "%[2]s"
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,%[2]s" read by self read by * none
`, s.dir, s.cfg.Suffix)
	if err := os.WriteFile(s.configuration(), []byte(configuration), 0o600); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	ldif, err := s.cfg.ldif()
	if err != nil {
		return err
	}
	program, err := slapdProgram("slapadd")
	if err != nil {
		return err
	}
	add := exec.CommandContext(ctx, program, "-f", s.configuration())
	add.Stdin = strings.NewReader(ldif)
	if printed, err := add.CombinedOutput(); err != nil {
		return fmt.Errorf("integration: slapadd: %w\n%s", err, printed)
	}
	return nil
}

func (s *Slapd) configuration() string { return filepath.Join(s.dir, "slapd.conf") }

// ldif is what is in the directory at first (RFC 2849).
func (c SlapdConfig) ldif() (string, error) {
	var b strings.Builder
	record := func(dn string, lines ...string) {
		// base64, so that no character of a name means anything
		fmt.Fprintf(&b, "dn:: %s\n%s\n\n", base64.StdEncoding.EncodeToString([]byte(dn)), strings.Join(lines, "\n"))
	}
	record(c.Suffix, "objectClass: organization", "objectClass: dcObject", "o: Example", "dc: "+firstValue(c.Suffix))
	record("ou=people,"+c.Suffix, "objectClass: organizationalUnit", "ou: people")
	password, err := saltedHash(c.ReaderPassword)
	if err != nil {
		return "", err
	}
	record("cn=reader,"+c.Suffix, "objectClass: organizationalRole", "objectClass: simpleSecurityObject", "cn: reader", "userPassword: "+password)
	for _, name := range sortedKeys(c.People) {
		if password, err = saltedHash(c.People[name]); err != nil {
			return "", err
		}
		record("uid="+name+",ou=people,"+c.Suffix, "objectClass: inetOrgPerson", "uid: "+name, "cn: "+name, "sn: "+name,
			"mail: "+name+"@example.org", "userPassword: "+password)
	}
	return b.String(), nil
}

// firstValue is "example" of "dc=example,dc=org".
func firstValue(dn string) string {
	first, _, _ := strings.Cut(dn, ",")
	_, value, _ := strings.Cut(first, "=")
	return value
}

// saltedHash is a password as OpenLDAP keeps it by default, {SSHA}.
func saltedHash(password string) (string, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("integration: %w", err)
	}
	sum := sha1.Sum(append([]byte(password), salt...))
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...)), nil
}

// Start runs the directory again after Kill or Stop, on the same port and data,
// and returns when it answers.
func (s *Slapd) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil {
		return errors.New("integration: slapd is already running")
	}
	program, err := slapdProgram("slapd")
	if err != nil {
		return err
	}
	output, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	defer output.Close() // the child has its own
	// -d keeps it in the foreground; 256 logs connections and operations.
	r, err := spawn(output, program, "-d", "256", "-f", s.configuration(), "-h", "ldap://"+s.Addr()+"/")
	if err != nil {
		return err
	}
	s.run = r
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := r.await(ctx, s.answers, nil); err != nil {
		s.kill()
		return fmt.Errorf("integration: slapd did not start: %w\n%s", err, tail(s.Log(), 30))
	}
	return nil
}

// answers says whether the directory answers an anonymous bind.
func (s *Slapd) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	// An anonymous bind of message 1, and success for it.
	if _, err := conn.Write([]byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")); err != nil {
		return err
	}
	answer := make([]byte, 14)
	if _, err := conn.Read(answer); err != nil {
		return err
	}
	if !bytes.HasPrefix(answer, []byte("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00")) {
		return fmt.Errorf("an odd answer: %x", answer)
	}
	return nil
}

// Addr is where the directory listens, "127.0.0.1:port".
func (s *Slapd) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Base is the DN above the people.
func (s *Slapd) Base() string { return "ou=people," + s.cfg.Suffix }

// Reader is the DN and the password of the account that may search.
func (s *Slapd) Reader() (dn, password string) {
	return "cn=reader," + s.cfg.Suffix, s.cfg.ReaderPassword
}

// Log is everything that the directory has logged, over all its lives: who
// connected and what they asked.
func (s *Slapd) Log() string {
	b, err := os.ReadFile(s.logFile())
	if err != nil {
		return ""
	}
	return string(b)
}

func (s *Slapd) logFile() string { return filepath.Join(s.dir, "slapd.log") }
