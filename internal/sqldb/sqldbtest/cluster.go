package sqldbtest

import (
	"bufio"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed cluster.sh
var clusterScript string

// Cluster is a PostgreSQL server of its own. It ends, and leaves nothing
// behind, with Stop or with the process that launched it.
type Cluster struct {
	// URL names its first database, as a superuser, over TCP on loopback.
	URL string
	// Socket is the folder of its Unix socket, which wants no password.
	Socket string

	cmd  *exec.Cmd
	life io.Closer // the script lives as long as this is open
}

// Launch starts a cluster and returns when it answers. It needs Debian's
// postgresql-15 or another one whose initdb and pg_ctl are found. No goroutine
// is left running.
func Launch() (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	var c *Cluster
	for range 3 { // somebody else may take the port first
		if c, err = launch(bin); err == nil {
			return c, nil
		}
	}
	return nil, err
}

func launch(bin string) (*Cluster, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sqldbtest: no free port: %w", err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("sqldbtest: no free port: %w", err)
	}
	// The characters are those that URLs and shells find hardest.
	password := rand.Text() + `/@: ?#%&"'$`
	cmd := exec.Command("sh", "-c", clusterScript)
	cmd.Env = append(os.Environ(), "PGBIN="+bin, "PORT="+port, "PASSWORD="+password)
	cmd.SysProcAttr = ownGroup() // Ctrl-C is for us; the script sees us end
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	lines := bufio.NewReader(out)
	first, _ := lines.ReadString('\n')
	folder, ok := strings.CutPrefix(strings.TrimSpace(first), "ready ")
	if !ok {
		rest, _ := io.ReadAll(lines)
		return nil, fmt.Errorf("sqldbtest: PostgreSQL did not start: %s%s: %w", first, rest, errors.Join(life.Close(), cmd.Wait()))
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("trunkline", password),
		Host: "127.0.0.1:" + port, Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return &Cluster{URL: u.String(), Socket: folder, cmd: cmd, life: life}, nil
}

// Stop ends the cluster and deletes its folder.
func (c *Cluster) Stop() error {
	if err := errors.Join(c.life.Close(), c.cmd.Wait()); err != nil {
		return fmt.Errorf("sqldbtest: stopping PostgreSQL: %w", err)
	}
	return nil
}

// binaries finds the folder of initdb and pg_ctl: on the path, or where Debian
// keeps the newest version.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("sqldbtest: PostgreSQL is not installed; run: apt install postgresql-15")
	}
	return filepath.Dir(slices.Max(found)), nil
}
