package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// Domain is the local domain of the stand-in: handles are @name@social.example
// and chat addresses name@social.example.
const Domain = "social.example"

// Options say what a stack consists of.
type Options struct {
	Dir    string // where everything is kept; made when missing
	Binary string // path of the trunkline binary
	Module string // folder that holds mod_auth_trunkline

	Ejabberd string // path of contrib/ejabberd/ejabberd.yml: ejabberd takes Prosody's place
	Converse string // folder of contrib/converse: its Caddy stands before trunkline
	Library  string // folder of Converse.js as it is published, its dist; with Converse

	Mode     string // what the stand-in behaves like: 4.6, 4.3 or gotosocial
	Mastodon string // origin of a real server that takes the stand-in's place, or ""

	Follows int // generated people whom each of the stand-in's people follows

	RateLimit int // see mastodontest.Options

	NoPrivacyLists bool // Prosody without mod_privacy_lists
	Front          bool // a TCP front that tests can cut, see [Front]
	Control        bool // the stand-in's failure knobs by HTTP
}

// Stack is a running stack. Its parts may be stopped and started one by one.
type Stack struct {
	Page string // the URL to open: the Mastodon page, or the panel's own
	Chat string // the chat origin

	Mastodon       *mastodontest.Server // nil with a real server
	Server         Server               // Prosody or ejabberd
	Trunkline      *Trunkline
	Front          *Front // nil unless asked for
	caddy          *caddy // nil unless asked for
	mastodonOrigin string
	secrets        secrets
	dir            string
	stopMastodon   func()
	lock           *os.File
}

// Start starts all parts and returns when each of them answers. On an error
// nothing is left running.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if err := ownFolder(o.Dir); err != nil {
		return nil, err
	}
	s := &Stack{dir: o.Dir}
	if err := s.start(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context, o Options) (err error) {
	if s.lock, err = lockFolder(o.Dir); err != nil {
		return err
	}
	p, err := choosePorts(o.Dir)
	if err != nil {
		return err
	}
	s.Chat = "http://" + loopback(p.Public)
	m, err := s.startMastodon(ctx, o, p)
	if err != nil {
		return err
	}
	if s.secrets, err = loadSecrets(ctx, o.Dir, o.Binary); err != nil {
		return err
	}
	if err := s.startServer(ctx, o, p, m.domain); err != nil {
		return err
	}
	// From the outside in, each listens where the one before it connects to.
	listen := p.Public
	if o.Front {
		if s.Front, err = newFront(loopback(p.Public), loopback(p.Inner)); err != nil {
			return fmt.Errorf("stack: %w", err)
		}
		listen = p.Inner
	}
	if o.Converse != "" {
		if s.caddy, err = startCaddy(ctx, o, p.Public, listen, p.Site); err != nil {
			return err
		}
		listen = p.Site
	}
	return s.startTrunkline(ctx, o, p, m, listen)
}

// ownFolder makes the folder. One that is there must be the caller's alone:
// folders of temporary files are shared, and keys will lie in this one.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	for d, owners := range map[string][]int{dir: {os.Getuid()}, filepath.Dir(dir): {os.Getuid(), 0}} {
		info, err := os.Lstat(d)
		if err != nil {
			return fmt.Errorf("stack: %w", err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !info.IsDir() || !ok || !slices.Contains(owners, int(stat.Uid)) {
			return fmt.Errorf("stack: %s belongs to somebody else; name another folder with -dir", d)
		}
	}
	return os.Chmod(dir, 0o700)
}

// lockFolder makes sure that one stack at a time uses a folder. The lock goes
// with the process.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("stack: one is running already in %s; end it first, or take another folder: make demo DIR=/path", dir)
	}
	return f, nil
}

func (s *Stack) startMastodon(ctx context.Context, o Options, p ports) (instance, error) {
	if o.Mastodon != "" {
		m, err := realInstance(ctx, o.Mastodon)
		s.Page = s.Chat + "/panel"
		return m, err
	}
	origin := "http://" + loopback(p.Mastodon)
	s.Mastodon = mastodontest.New(mastodontest.Options{
		Mode:          mastodontest.Mode(o.Mode),
		Domain:        Domain,
		Origin:        origin,
		EmbedUpstream: s.Chat,
		Control:       o.Control,
		Follows:       o.Follows,
		RateLimit:     o.RateLimit,
	})
	// Account ids differ between the modes, so each keeps its own state.
	if err := s.Mastodon.KeepState(filepath.Join(o.Dir, "mastodon-"+o.Mode+".json")); err != nil {
		return instance{}, fmt.Errorf("stack: %w", err)
	}
	_, stop, err := s.Mastodon.Listen(loopback(p.Mastodon))
	if err != nil {
		return instance{}, fmt.Errorf("stack: %w", err)
	}
	s.Page, s.mastodonOrigin, s.stopMastodon = origin+"/home", origin, stop
	return instance{origin: origin, domain: Domain}, nil
}

func (s *Stack) startTrunkline(ctx context.Context, o Options, p ports, m instance, listen int) error {
	config := filepath.Join(o.Dir, "trunkline.toml")
	text := configuration(o.Dir, p, s.secrets, m, listen)
	if e, ok := s.Server.(*integration.Ejabberd); ok {
		text += ejabberdConfiguration(e, s.secrets)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	t, err := NewTrunkline(o.Binary, config, "http://"+loopback(p.Private)+"/healthz", filepath.Join(o.Dir, "trunkline.log"))
	if err != nil {
		return err
	}
	s.Trunkline = t
	return s.Trunkline.Start(ctx)
}

// Close ends everything, in the order in which people lose least: trunkline
// first, so that its streams end properly, then the XMPP server, then the stand-in.
func (s *Stack) Close() {
	if s.Trunkline != nil {
		s.Trunkline.Close()
	}
	if s.caddy != nil {
		s.caddy.stop()
	}
	if s.Front != nil {
		s.Front.Close()
	}
	if s.Server != nil {
		s.Server.Stop()
	}
	if s.stopMastodon != nil {
		s.stopMastodon()
	}
	if s.lock != nil {
		s.lock.Close()
	}
}

// realInstance asks a real server for the domain of its handles.
func realInstance(ctx context.Context, raw string) (instance, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return instance{}, fmt.Errorf("stack: %q is not the address of a Mastodon server, write https://social.example", raw)
	}
	origin := u.Scheme + "://" + u.Host
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for _, path := range []string{"/api/v2/instance", "/api/v1/instance"} {
		domain, err := instanceDomain(ctx, origin+path)
		if err == nil {
			return instance{origin: origin, domain: domain}, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return instance{}, errors.Join(fmt.Errorf("stack: %s does not answer like a Mastodon server", origin), ctx.Err())
}

func instanceDomain(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "Trunkline demo")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", err
	}
	return parseInstance(raw)
}

// MastodonOrigin is the stand-in's origin, "" with a real server.
func (s *Stack) MastodonOrigin() string {
	if s.Mastodon == nil {
		return ""
	}
	return s.mastodonOrigin
}
