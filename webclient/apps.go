package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// Mastodon takes five registrations in ten minutes; a registration that is refused
// again so soon needs a person, not another one.
const appMinAge = time.Hour

func (s *Server) callbackURL() string { return s.cfg.PublicURL + "/auth/callback" }

func (s *Server) appPurpose() string { return "mastodon_apps.client_secret:" + s.cfg.InstanceURL }

// app is our registration at the instance. The first login registers it; logins
// that come at the same time wait for it. It is renewed when our redirect URI
// changed or no data key opens its secret any more.
func (s *Server) app(ctx context.Context) (mastodon.App, error) {
	select {
	case s.appLock <- struct{}{}:
		defer func() { <-s.appLock }()
	case <-ctx.Done():
		return mastodon.App{}, fmt.Errorf("webclient: app registration: %w", ctx.Err())
	}
	app, err := s.storedApp(ctx)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return app, err
	}
	app, err = s.cfg.Mastodon.Register(ctx, s.cfg.AppName, s.callbackURL(), s.cfg.PublicURL)
	if err != nil {
		return mastodon.App{}, fmt.Errorf("webclient: app registration: %w", err)
	}
	if err := s.storeApp(ctx, app); err != nil {
		return mastodon.App{}, err
	}
	s.cfg.Log.InfoContext(ctx, "registered at the instance", "instance", s.cfg.InstanceURL, "client_id", app.ID,
		"redirect_uri", app.RedirectURI, "scopes", strings.Join(app.Scopes, " "))
	return app, nil
}

// storedApp is the registration in the database, sql.ErrNoRows if there is none
// that can be used.
func (s *Server) storedApp(ctx context.Context) (mastodon.App, error) {
	var app mastodon.App
	var sealed []byte
	var scopes string
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT client_id, client_secret, redirect_uri, scopes
		FROM mastodon_apps WHERE instance = $1`, s.cfg.InstanceURL).Scan(&app.ID, &sealed, &app.RedirectURI, &scopes)
	if err != nil {
		return mastodon.App{}, fmt.Errorf("webclient: app registration: %w", err)
	}
	if app.RedirectURI != s.callbackURL() {
		s.cfg.Log.WarnContext(ctx, "the public URL has changed; registering at the instance anew",
			"instance", s.cfg.InstanceURL, "was", app.RedirectURI)
		return mastodon.App{}, sql.ErrNoRows
	}
	plain, _, err := s.keys.open(s.appPurpose(), sealed)
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "the app registration cannot be read; registering at the instance anew",
			"instance", s.cfg.InstanceURL, "error", err)
		return mastodon.App{}, sql.ErrNoRows
	}
	app.Secret = mastodon.Secret(plain)
	app.Scopes = strings.Fields(scopes)
	return app, nil
}

func (s *Server) storeApp(ctx context.Context, app mastodon.App) error {
	sealed, err := s.keys.seal(s.appPurpose(), []byte(app.Secret))
	if err != nil {
		return err
	}
	_, err = s.cfg.DB.ExecContext(ctx, `INSERT INTO mastodon_apps
		(instance, client_id, client_secret, redirect_uri, scopes, registered_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (instance) DO UPDATE SET client_id = excluded.client_id, client_secret = excluded.client_secret,
		redirect_uri = excluded.redirect_uri, scopes = excluded.scopes, registered_at = excluded.registered_at`,
		s.cfg.InstanceURL, app.ID, sealed, app.RedirectURI, strings.Join(app.Scopes, " "), s.now())
	if err != nil {
		return fmt.Errorf("webclient: app registration: %w", err)
	}
	return nil
}

// appRefused is called when the instance does not know our app. It forgets the
// registration, so that the next login makes a new one, but only once an hour: an
// instance that refuses a new registration too needs its admin.
func (s *Server) appRefused(ctx context.Context, app mastodon.App, cause error) {
	res, err := s.cfg.DB.ExecContext(ctx, `DELETE FROM mastodon_apps
		WHERE instance = $1 AND client_id = $2 AND registered_at <= $3`,
		s.cfg.InstanceURL, app.ID, s.cfg.Now().Add(-appMinAge).UnixMilli())
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "forgetting the app registration failed", "instance", s.cfg.InstanceURL, "error", err)
		return
	}
	next := "the next sign-in registers a new one"
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		next = "it is too young to be replaced again; look at the instance's list of applications"
	}
	s.cfg.Log.ErrorContext(ctx, "the instance does not accept our app registration",
		"instance", s.cfg.InstanceURL, "client_id", app.ID, "next", next, "error", cause)
}
