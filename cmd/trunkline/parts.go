package main

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/audit"
	"github.com/trunkline-chat/trunkline/tokens/backend"
	"github.com/trunkline-chat/trunkline/tokens/mastodondb"
	"github.com/trunkline-chat/trunkline/webclient"
	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

func (n *node) newTokens() (err error) {
	n.audit, err = audit.New(audit.Config{DB: n.db, Retention: n.cfg.Audit.Retention.Std(), Log: n.log, Metrics: n.metrics})
	if err != nil {
		return err
	}
	c := tokens.Config{
		DB: n.db, OnRevoked: n.revoked, Recorder: n.recordAdmin, Log: n.log,
		Recheck: n.recheck, LookupName: n.lookupName,
	}
	if c.Key, err = n.cfg.Secrets.TokenKey.Bytes(); err != nil {
		return err
	}
	if n.cfg.SIP.Server != "" {
		c.Realm = n.cfg.XMPP.Domain
	}
	if key := n.cfg.Secrets.JWTKey; !key.IsZero() {
		c.JWTDomain = n.cfg.XMPP.Domain
		if c.JWTKey, err = key.Bytes(); err != nil {
			return err
		}
	}
	n.tokens, err = tokens.New(c)
	return err
}

// newCore builds what all fronts share.
func (n *node) newCore() (err error) {
	c := backend.CoreConfig{
		Verifier: verifier{n.tokens}, Recorder: recorder{n.audit}, Domain: n.cfg.XMPP.Domain, Log: n.log, Metrics: n.metrics,
	}
	if url := n.cfg.Secrets.MastodonDBURL; !url.IsZero() {
		n.mastodonDB, err = mastodondb.New(mastodondb.Config{URL: url.Reveal(), Refused: n.refused})
		if err != nil {
			return fmt.Errorf("secrets.mastodon_db_url: %w", err)
		}
		c.Fallback = n.mastodonDB
	}
	n.core, err = backend.NewCore(c)
	return err
}

func (n *node) newGateway() (err error) {
	n.gateway, err = gateway.New(n.gatewayConfig())
	return err
}

// gatewayConfig is what the gateway gets of the configuration and of the other parts.
func (n *node) gatewayConfig() gateway.Config {
	return gateway.Config{
		Domain:         n.cfg.XMPP.Domain,
		Upstream:       gateway.Upstream{Address: n.cfg.XMPP.Address, TLS: n.cfg.XMPP.TLS, ProxyProtocol: n.cfg.XMPP.ProxyProtocol},
		Origins:        append([]string{n.cfg.Server.PublicURL}, n.cfg.Server.ChatOrigins...),
		SeeOtherURL:    n.cfg.Server.SeeOtherURL,
		Credentials:    n.tokens,
		Consents:       n,
		Resumptions:    n.resume,
		Issuer:         n.tokens,
		TrustedProxies: n.cfg.TrustedProxies(),
		Limits:         limits(n.cfg),
		Log:            n.log,
		Metrics:        n.metrics,

		ForbiddenCommands: append([]string{}, n.cfg.XMPP.ForbiddenCommands...),
	}
}

func (n *node) newWebclient() error {
	c, err := n.webclientConfig()
	if err != nil {
		return err
	}
	n.web, err = webclient.New(c)
	return err
}

// instanceConfig is what the client of Mastodon gets of the configuration.
func (n *node) instanceConfig() mastodon.Config {
	return mastodon.Config{
		BaseURL: n.cfg.Mastodon.URL, UserAgent: userAgent(n.cfg), ForwardClientAddr: n.cfg.Mastodon.ForwardAddress,
	}
}

// webclientConfig is the same for the web side, with a client of Mastodon in it.
func (n *node) webclientConfig() (c webclient.Config, err error) {
	instance, err := mastodon.New(n.instanceConfig())
	if err != nil {
		return c, err
	}
	keys := make([][]byte, len(n.cfg.Secrets.DataKeys))
	for i, k := range n.cfg.Secrets.DataKeys {
		if keys[i], err = k.Bytes(); err != nil {
			return c, err
		}
	}
	return webclient.Config{
		Discoverable:    n.cfg.IsEjabberd(),
		PublicURL:       n.cfg.Server.PublicURL,
		InstanceURL:     n.cfg.Mastodon.URL,
		InstanceName:    n.cfg.Mastodon.Domain,
		LocalDomain:     n.cfg.Mastodon.Domain,
		XMPPDomain:      n.cfg.XMPP.Domain,
		WebSocketURL:    n.cfg.WebSocketURL(),
		AppName:         n.cfg.Mastodon.AppName,
		CrossSite:       n.cfg.Session.CrossSite,
		DataKeys:        keys,
		SessionIdle:     n.cfg.Session.Idle.Std(),
		SessionAbsolute: n.cfg.Session.Absolute.Std(),
		MediaOrigins:    n.cfg.Mastodon.MediaOrigins,
		Mastodon:        instance,
		DB:              n.db,
		Issuer:          n.tokens,
		Importer:        n,
		ConsentChanged:  n.gateway.ConsentChanged,
		Devices:         deviceKeeper{n.tokens},
		SIPServer:       n.cfg.SIP.Server,
		Grace:           n.cfg.Standing.Grace.Std(),
		StandingEvery:   n.cfg.Standing.Every.Std(),
		LiveAccounts:    n.gateway.Accounts,
		WebhookSecret:   []byte(n.cfg.Secrets.WebhookSecret.Reveal()),
		OnUnknownBad:    n.tokens.EndName,
		Recorder:        n.recordStanding,
		Metrics:         n.metrics,
		ClientAddr: func(r *http.Request) netip.Addr {
			return gateway.ClientAddress(r, n.cfg.TrustedProxies())
		},
		Log: n.log,
	}, nil
}

// userAgent tells Mastodon's admins who calls and where to find us.
func userAgent(cfg *config.Config) string {
	return "Trunkline (+" + cfg.Server.PublicURL + ")"
}

// newKickers builds what ends sessions that do not go through our gateway.
func (n *node) newKickers() (err error) {
	n.kicker, err = newKicker(n.cfg, n.tokens, n.gatewayResources, n.log)
	return err
}
