package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// ports are the loopback ports of one stack. They are kept in its folder,
// because the Mastodon server remembers the redirect address of the app that
// was registered.
type ports struct {
	Mastodon int `json:"mastodon"`
	Public   int `json:"public"`
	Inner    int `json:"inner"`
	Private  int `json:"private"`
	XMPP     int `json:"xmpp"`
	Site     int `json:"site"`
}

// choosePorts reads the ports of an earlier start, replaces those that somebody
// else holds now, and writes the result back.
func choosePorts(dir string) (ports, error) {
	file := filepath.Join(dir, "ports.json")
	var p ports
	raw, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return p, fmt.Errorf("stack: %w", err)
	default:
		if err := json.Unmarshal(raw, &p); err != nil {
			return p, fmt.Errorf("stack: %s: %w", file, err)
		}
	}
	var held []net.Listener
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	for _, port := range []*int{&p.Mastodon, &p.Public, &p.Inner, &p.Private, &p.XMPP, &p.Site} {
		l, err := net.Listen("tcp", loopback(*port))
		if err != nil {
			if l, err = net.Listen("tcp", loopback(0)); err != nil {
				return p, fmt.Errorf("stack: no free port: %w", err)
			}
		}
		held = append(held, l)
		*port = l.Addr().(*net.TCPAddr).Port
	}
	raw, err = json.Marshal(p)
	if err != nil {
		return p, fmt.Errorf("stack: %w", err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return p, fmt.Errorf("stack: %w", err)
	}
	return p, nil
}

// Clean removes what earlier stacks have kept in a folder, unless one is running
// there.
func Clean(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := ownFolder(dir); err != nil {
		return err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	return os.RemoveAll(dir)
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
