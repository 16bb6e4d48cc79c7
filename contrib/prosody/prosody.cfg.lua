-- A complete Prosody 0.12 for example.org, whose people sign in with Trunkline's
-- passwords: in Mastodon's page through Trunkline, and in apps of their own.
-- As /etc/prosody/prosody.cfg.lua it needs nothing beside it. Put your domain in
-- place of example.org; docs/prosody.md explains the rest.
-- Needs: apt install prosody prosody-modules, and mod_auth_trunkline.

plugin_paths = { "/usr/local/lib/prosody/modules" }
pidfile = "/run/prosody/prosody.pid"
certificates = "certs" -- prosodyctl --root cert import /etc/letsencrypt/live
log = {
    info = "/var/log/prosody/prosody.log";
    error = "/var/log/prosody/prosody.err";
}

modules_enabled = {
    "roster"; "saslauth"; "tls"; "dialback"; "disco"; "ping"; "posix";
    "mam";           -- history (XEP-0313)
    "smacks";        -- no message lost when a connection is (XEP-0198)
    "carbons";       -- several devices (XEP-0280)
    "csi_simple";    -- phones sleep longer (XEP-0352)
    "cloud_notify";  -- and are woken (XEP-0357); in prosody-modules
    "pep"; "bookmarks"; "vcard4"; "vcard_legacy"; "blocklist"; "private";
    "privacy_lists"; -- hidden and yet reachable (XEP-0016); in prosody-modules
    "limits";
    "admin_shell";   -- prosodyctl shell
}
-- Nothing here creates accounts or passwords: no mod_register, no mod_invites, no
-- mod_sasl2_fast.

-- Apps connect to 5222 (STARTTLS) or 5223 (TLS from the first byte). Without TLS
-- no password is accepted. Trunkline's gateway comes in by 5222, too.
c2s_direct_tls_ports = { 5223 }
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = true

-- All browsers come through the gateway; reading history takes more than Debian's
-- 10 kB/s.
limits = {
    c2s = { rate = "1mb/s"; };
    s2sin = { rate = "30kb/s"; };
}

storage = "internal"
archive_expires_after = "1y"

VirtualHost "example.org"
    authentication = "trunkline"
    trunkline_url = "http://127.0.0.1:8081/verify"
    trunkline_secret_file = "/etc/prosody/trunkline.secret"

Component "rooms.example.org" "muc"
    modules_enabled = { "muc_mam" }
    restrict_room_creation = "local"
