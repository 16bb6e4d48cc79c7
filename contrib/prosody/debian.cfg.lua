-- example.org beside what Debian's /etc/prosody/prosody.cfg.lua sets up, which
-- stays as it is: put this into /etc/prosody/conf.d/example.org.cfg.lua, with your
-- domain in place of example.org. docs/prosody.md explains the rest.
-- Needs: apt install prosody prosody-modules, and mod_auth_trunkline.

-- For all hosts, in place of Debian's 10 kB/s, too little for reading history.
limits = {
    c2s = { rate = "1mb/s"; };
    s2sin = { rate = "30kb/s"; };
}
c2s_direct_tls_ports = { 5223 }

VirtualHost "example.org"
    authentication = "trunkline"
    trunkline_url = "http://127.0.0.1:8081/verify"
    trunkline_secret_file = "/etc/prosody/trunkline.secret"

    c2s_require_encryption = true
    modules_enabled = {
        "mam";           -- history (XEP-0313)
        "cloud_notify";  -- phones are woken (XEP-0357); in prosody-modules
        "privacy_lists"; -- hidden and yet reachable (XEP-0016); in prosody-modules
    }
    -- Accounts come from Mastodon.
    modules_disabled = { "register"; "invites"; "invites_adhoc"; "invites_register" }
