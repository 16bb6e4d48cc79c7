package config

// Standing is the section [standing].
type Standing struct {
	Every Duration `toml:"every" default:"'15m'" doc:"How often Mastodon is asked about a person who is online in the chat."`
	Grace Duration `toml:"grace" default:"'24h'" doc:"For how long device passwords go on working while Mastodon cannot be asked. Signing in needs Mastodon in any case."`
}

// Ejabberd is the section [ejabberd].
type Ejabberd struct {
	APIURL  string `toml:"api_url" default:"''" example:"'http://127.0.0.1:5280/api'" doc:"The address of mod_http_api. Empty: nobody is kicked from ejabberd."`
	APIUser string `toml:"api_user" default:"''" example:"'trunkline@localhost'" doc:"The account that may call kick_session and user_resources; its password is secrets.ejabberd_password. It must not be on the chat domain, where somebody at Mastodon may have or take its name."`
}

// OAuth is the section [oauth].
type OAuth struct {
	ClientID string `toml:"client_id" default:"'prosody'" doc:"oauth_external_client_id in Prosody's configuration; the client secret is secrets.oauth_secret."`
	Issuer   string `toml:"issuer" default:"''" example:"'https://chat.example.org'" doc:"The issuer in the metadata (RFC 8414). Empty: the address that the metadata were asked at, which is right for nearly everybody."`
}

// AuthHTTP is the section [auth_http].
type AuthHTTP struct {
	User string `toml:"user" default:"'prosody'" doc:"The user in http_auth_credentials of Prosody's configuration; the password there is secrets.auth_http_secret."`
}

// LDAP is the section [ldap].
type LDAP struct {
	Listen       string `toml:"listen" default:"''" example:"'127.0.0.1:3389'" doc:"HOST:PORT for LDAP, with StartTLS where a certificate is given. Empty: no LDAP. Needs secrets.ldap_secret."`
	ListenTLS    string `toml:"listen_tls" default:"''" example:"'127.0.0.1:6636'" doc:"HOST:PORT for LDAPS, which needs a certificate."`
	Base         string `toml:"base" default:"''" example:"'ou=people,dc=example,dc=org'" doc:"The entry above all people. Empty: ou=people and one dc for each part of xmpp.domain."`
	ServiceDN    string `toml:"service_dn" default:"''" example:"'cn=service,dc=example,dc=org'" doc:"The account that XMPP servers search with; its password is secrets.ldap_secret. Empty: cn=service beside the people."`
	TLSCert      string `toml:"tls_cert" default:"''" example:"'/etc/trunkline/ldap.pem'" doc:"A certificate in PEM. A listener that other machines reach must have one, and then takes passwords over TLS only."`
	TLSKey       string `toml:"tls_key" default:"''" example:"'/etc/trunkline/ldap.key'" doc:"The key of tls_cert."`
	InsecureLDAP bool   `toml:"insecure_listen" default:"false" doc:"Allow an LDAP listener without TLS that other machines reach. Passwords then cross the network unencrypted."`
}

// SIP is the section [sip].
type SIP struct {
	Server string `toml:"server" default:"''" example:"'sip.example.org'" doc:"The SIP server, as people enter it in their phones. Empty: no passwords for phones are made. The realm is xmpp.domain."`
}

// Audit is the section [audit].
type Audit struct {
	Retention Duration `toml:"retention" default:"'30d'" doc:"How long the record is kept."`
}

// Room is one section [[rooms]].
type Room struct {
	JID   string   `toml:"jid" example:"'tea@rooms.example.org'" doc:"The room's address; * before the @ stands for every room there."`
	Allow []string `toml:"allow" example:"['followers:alice', 'moderators']" doc:"Who may join: local (everybody of the Mastodon server); followers:NAME; mutuals:NAME; list:ID@NAME; moderators; account:NAME, or account:NAME@DOMAIN for one person elsewhere."`
}
