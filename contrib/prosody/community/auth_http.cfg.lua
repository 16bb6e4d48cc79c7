-- Prosody 0.12 asks Trunkline by the community module mod_auth_http, which is not
-- in Debian. docs/oauth.md says how to install it.
--
-- Prefer mod_auth_trunkline, beside this folder: this module puts passwords into
-- URLs, cannot tell "wrong password" from "ask later", and ends no sessions.
VirtualHost "example.org"
    authentication = "http"
    http_auth_url = "http://127.0.0.1:8081/prosody"
    -- auth_http.user, a colon, and what is in secrets.auth_http_secret_file
    http_auth_credentials = "prosody:THE-AUTH-HTTP-SECRET"
