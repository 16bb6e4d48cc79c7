package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/tokens/backend"
	"github.com/trunkline-chat/trunkline/tokens/backend/ldap"
	"github.com/trunkline-chat/trunkline/webclient"
)

// fronts is what other servers ask: the routes of the private listener, and the
// LDAP listeners. A front that has no secret is not there.
type fronts struct {
	routes *http.ServeMux
	ldap   *ldap.Server // nil: not configured
}

// newFronts builds the fronts that are configured. Nothing listens yet.
func (n *node) newFronts() (err error) {
	s, mux := n.cfg.Secrets, http.NewServeMux()
	prosody := backend.Prosody(n.core, feed{n.tokens}, []byte(s.VerifySecret.Reveal()), n.log)
	mux.Handle("/verify", prosody)
	mux.Handle("/prosody/revocations", prosody)
	if !s.ExtauthSecret.IsZero() {
		mux.Handle("/extauth", backend.Extauth(n.core, []byte(s.ExtauthSecret.Reveal()), n.log))
	}
	if !s.AuthHTTPSecret.IsZero() {
		mux.Handle("/prosody/", backend.AuthHTTP(n.core, n.cfg.AuthHTTP.User, []byte(s.AuthHTTPSecret.Reveal())))
	}
	if err := n.mountOAuth(mux); err != nil {
		return err
	}
	if !s.MUCSecret.IsZero() {
		rooms := make([]backend.Room, len(n.cfg.Rooms))
		for i, r := range n.cfg.Rooms {
			rooms[i] = backend.Room{JID: r.JID, Allow: r.Allow}
		}
		handler, err := backend.MUC(n.core, rooms, webclient.NewRooms(n.web, s.ListToken.Reveal()), []byte(s.MUCSecret.Reveal()))
		if err != nil {
			return err
		}
		mux.Handle("/muc/authorize", handler)
	}
	n.fronts = fronts{routes: mux}
	n.fronts.ldap, err = n.newLDAP()
	return err
}

func (n *node) mountOAuth(mux *http.ServeMux) error {
	secret := n.cfg.Secrets.OAuthSecret
	if secret.IsZero() {
		return nil
	}
	handler, err := backend.OAuth(n.core, access{n.tokens}, backend.OAuthConfig{
		Issuer: n.cfg.OAuth.Issuer, ClientID: n.cfg.OAuth.ClientID, Secret: []byte(secret.Reveal()),
	})
	if err != nil {
		return err
	}
	mux.Handle("/oauth/", handler)
	mux.Handle("/.well-known/oauth-authorization-server", handler)
	return nil
}

func (n *node) newLDAP() (*ldap.Server, error) {
	c := n.cfg.LDAP
	if c.Listen == "" && c.ListenTLS == "" {
		return nil, nil
	}
	cert, err := certificate(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("ldap.tls_cert: %w", err)
	}
	return ldap.New(ldap.Config{
		Core: n.core, Base: c.Base, ServiceDN: c.ServiceDN, ServiceSecret: []byte(n.cfg.Secrets.LDAPSecret.Reveal()),
		TLS: cert, RequireTLS: cert != nil && config.Reachable(c.Listen), Log: n.log,
	})
}

// ldapListener is one socket of the LDAP front.
type ldapListener struct {
	socket   net.Listener
	implicit bool // LDAPS
}

// listenLDAP opens the LDAP sockets that are configured.
func (n *node) listenLDAP(ctx context.Context) (list []ldapListener, err error) {
	for _, l := range []struct {
		address  string
		implicit bool
	}{{n.cfg.LDAP.Listen, false}, {n.cfg.LDAP.ListenTLS, true}} {
		if l.address == "" {
			continue
		}
		socket, err := n.bind(ctx, "ldap", l.address)
		if err != nil {
			for _, open := range list {
				open.socket.Close()
			}
			return nil, err
		}
		list = append(list, ldapListener{socket, l.implicit})
	}
	return list, nil
}

// serveLDAP answers on the LDAP sockets until ctx ends.
func (n *node) serveLDAP(ctx context.Context, list []ldapListener) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range list {
		group.Go(func() error { return n.fronts.ldap.Serve(ctx, l.socket, l.implicit) })
	}
	return group.Wait()
}

// secured puts TLS before the private listener where it is configured.
func (n *node) secured(socket net.Listener) (net.Listener, error) {
	cfg, err := privateTLS(n.cfg.Server)
	if err != nil || cfg == nil {
		return socket, err
	}
	return tls.NewListener(socket, cfg), nil
}
