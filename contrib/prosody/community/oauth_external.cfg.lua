-- Prosody 0.12 asks Trunkline by the community module mod_auth_oauth_external,
-- which is not in Debian. docs/oauth.md says how to install it.
VirtualHost "example.org"
    authentication = "oauth_external"
    oauth_external_token_endpoint = "http://127.0.0.1:8081/oauth/token"
    oauth_external_validation_endpoint = "http://127.0.0.1:8081/oauth/userinfo"
    oauth_external_username_field = "preferred_username"
    oauth_external_client_id = "prosody"
    -- what is in secrets.oauth_secret_file
    oauth_external_client_secret = "THE-OAUTH-SECRET"
    oauth_external_scope = "xmpp"
