-- The schema of a new installation. Every change here needs a migration in
-- migrations.go that brings an older database to exactly the same place.
-- Times are unix milliseconds. Queries use $1 placeholders. Written in SQLite's
-- words; dialect.go says the few that PostgreSQL has others for.

-- One person of the Mastodon server. id is Mastodon's accounts.id. standing says
-- what Mastodon thinks of the account and standing_at when it last said 'good';
-- suspended_at is set while it is anything else. blocked_at is the admin's own
-- word, which no good news from Mastodon takes back. Device passwords count
-- until trusted_until.
CREATE TABLE accounts (
    id             TEXT PRIMARY KEY NOT NULL,
    username       TEXT NOT NULL UNIQUE,
    display_name   TEXT NOT NULL DEFAULT '',
    avatar_url     TEXT NOT NULL DEFAULT '',
    profile_url    TEXT NOT NULL DEFAULT '',
    mastodon_token BLOB,
    token_scopes   TEXT NOT NULL DEFAULT '',
    created_at     INTEGER NOT NULL,
    last_login_at  INTEGER NOT NULL,
    suspended_at   INTEGER,
    blocked_at     INTEGER,
    blocked_reason TEXT NOT NULL DEFAULT '',
    standing       TEXT NOT NULL DEFAULT 'good'
                   CHECK (standing IN ('good', 'suspended', 'disabled', 'moved', 'deleted', 'unconfirmed')),
    standing_at    INTEGER NOT NULL DEFAULT 0,
    trusted_until  INTEGER NOT NULL DEFAULT 0
);

-- One secret that an XMPP or SIP server accepts. Only its keyed hash is kept.
-- auth_name is the user name that a SIP device signs in with. last_used_from is
-- a network such as 203.0.113.0/24, last_used_by the front that asked.
CREATE TABLE credentials (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    session_id     TEXT NOT NULL DEFAULT '',
    purpose        TEXT NOT NULL CHECK (purpose IN ('temporary', 'internal', 'device')),
    service        TEXT NOT NULL DEFAULT 'xmpp',
    name           TEXT NOT NULL DEFAULT '',
    hash           BLOB NOT NULL UNIQUE,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    first_used_at  INTEGER,
    last_used_at   INTEGER,
    revoked_at     INTEGER,
    auth_name      TEXT,
    last_used_from TEXT NOT NULL DEFAULT '',
    last_used_by   TEXT NOT NULL DEFAULT ''
);
CREATE INDEX credentials_account ON credentials (account_id);
CREATE INDEX credentials_session ON credentials (session_id);
CREATE INDEX credentials_expiry ON credentials (expires_at);
CREATE UNIQUE INDEX credentials_auth_name ON credentials (auth_name);

-- What ended, for every process that holds streams. Polled by seq.
CREATE TABLE revocations (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL CHECK (kind IN ('credential', 'session', 'account')),
    subject    TEXT NOT NULL,
    reason     TEXT NOT NULL DEFAULT '',
    at         INTEGER NOT NULL,
    account_id TEXT NOT NULL DEFAULT '',
    username   TEXT NOT NULL DEFAULT '',
    purpose    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX revocations_at ON revocations (at);
CREATE INDEX revocations_subject ON revocations (kind, subject);

-- Our OAuth application at each Mastodon server.
CREATE TABLE mastodon_apps (
    instance      TEXT PRIMARY KEY NOT NULL,
    client_id     TEXT NOT NULL,
    client_secret BLOB NOT NULL,
    redirect_uri  TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    registered_at INTEGER NOT NULL
);

-- Logins that went to Mastodon and have not come back.
CREATE TABLE pending_logins (
    state_hash   BLOB PRIMARY KEY NOT NULL,
    browser_hash BLOB NOT NULL,
    verifier     TEXT NOT NULL,
    mode         TEXT NOT NULL,
    return_to    TEXT NOT NULL DEFAULT '',
    created_at   INTEGER NOT NULL,
    used_at      INTEGER
);
CREATE INDEX pending_logins_created ON pending_logins (created_at);

-- Browser sessions; token is already a hash, expiry in unix milliseconds.
CREATE TABLE browser_sessions (
    token  TEXT PRIMARY KEY NOT NULL,
    data   BLOB NOT NULL,
    expiry INTEGER NOT NULL
);
CREATE INDEX browser_sessions_expiry ON browser_sessions (expiry);

-- One row per browser login; credentials.session_id names it.
CREATE TABLE logins (
    id           TEXT PRIMARY KEY NOT NULL,
    account_id   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER
);
CREATE INDEX logins_account ON logins (account_id);
CREATE INDEX logins_expiry ON logins (expires_at);

-- One-time codes that carry a finished login into a partitioned iframe.
CREATE TABLE handoffs (
    code_hash  BLOB PRIMARY KEY NOT NULL,
    login_id   TEXT NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    used_at    INTEGER
);
CREATE INDEX handoffs_created ON handoffs (created_at);

-- What a person agreed to show now, and every change of it, for every process
-- that holds streams. Polled by seq.
CREATE TABLE consents (
    account_id   TEXT PRIMARY KEY NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    presence     TEXT NOT NULL CHECK (presence IN ('nobody', 'contacts')),
    typing       INTEGER NOT NULL DEFAULT 0,
    receipts     INTEGER NOT NULL DEFAULT 0,
    text_version INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL
);
CREATE TABLE consent_changes (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    presence     TEXT NOT NULL CHECK (presence IN ('nobody', 'contacts')),
    typing       INTEGER NOT NULL,
    receipts     INTEGER NOT NULL,
    text_version INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL
);
CREATE INDEX consent_changes_account ON consent_changes (account_id, seq);

-- What Mastodon told of the people someone follows.
CREATE TABLE follows (
    account_id   TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    acct         TEXT NOT NULL,
    username     TEXT NOT NULL,
    display_name TEXT NOT NULL DEFAULT '',
    avatar_url   TEXT NOT NULL DEFAULT '',
    profile_url  TEXT NOT NULL DEFAULT '',
    jid          TEXT,
    seen_at      INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
);

-- Import jobs and the people in them.
CREATE TABLE imports (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    request_key TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    UNIQUE (account_id, request_key)
);
CREATE INDEX imports_unfinished ON imports (created_at) WHERE finished_at IS NULL;
CREATE TABLE import_items (
    import_id TEXT NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    follow_id TEXT NOT NULL,
    jid       TEXT NOT NULL DEFAULT '',
    name      TEXT NOT NULL DEFAULT '',
    subscribe INTEGER NOT NULL DEFAULT 0,
    status    TEXT NOT NULL DEFAULT 'pending'
              CHECK (status IN ('pending', 'added', 'already', 'skipped', 'failed')),
    reason    TEXT NOT NULL DEFAULT '',
    seq       INTEGER,
    PRIMARY KEY (import_id, position)
);

-- What a gateway needs to know of a stream that may be resumed anywhere.
CREATE TABLE resumptions (
    key        BLOB PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL,
    state      BLOB NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX resumptions_expiry ON resumptions (expires_at);
CREATE INDEX resumptions_account ON resumptions (account_id);

-- What a SIP server checks a digest against, MD5 and SHA-256 (RFC 8760), in
-- lower-case hex. Only SIP devices have a row here.
CREATE TABLE sip_digests (
    credential_id TEXT PRIMARY KEY NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    realm         TEXT NOT NULL,
    ha1           TEXT NOT NULL,
    ha1b          TEXT NOT NULL,
    ha1_sha256    TEXT NOT NULL,
    ha1b_sha256   TEXT NOT NULL
);

-- The SIP devices that may sign in now, in the words of Kamailio's auth_db.
CREATE VIEW subscriber AS
SELECT c.auth_name AS username, d.realm AS domain,
       d.ha1 AS ha1, d.ha1b AS ha1b, d.ha1_sha256 AS ha1_sha256, d.ha1b_sha256 AS ha1b_sha256,
       a.username AS account
FROM sip_digests d
JOIN credentials c ON c.id = d.credential_id
JOIN accounts a ON a.id = c.account_id
WHERE c.service = 'sip' AND c.purpose = 'device' AND c.revoked_at IS NULL
  AND a.suspended_at IS NULL AND a.blocked_at IS NULL
  AND a.trusted_until > CAST(strftime('%s', 'now') AS INTEGER) * 1000;

-- Who asked what, and what we said. No secrets.
CREATE TABLE audit (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,
    front         TEXT NOT NULL,
    caller        TEXT NOT NULL DEFAULT '',
    op            TEXT NOT NULL,
    username      TEXT NOT NULL DEFAULT '',
    account_id    TEXT NOT NULL DEFAULT '',
    credential_id TEXT NOT NULL DEFAULT '',
    address       TEXT NOT NULL DEFAULT '',
    outcome       TEXT NOT NULL,
    reason        TEXT NOT NULL DEFAULT ''
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_account ON audit (account_id);

-- Short-lived OAuth access tokens; each dies with the credential it was had for.
CREATE TABLE access_tokens (
    hash          BLOB PRIMARY KEY NOT NULL,
    credential_id TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    account_id    TEXT NOT NULL,
    scope         TEXT NOT NULL DEFAULT '',
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

-- How far a follower has come: of the revocations, or (consent/…, one for each
-- process) of consent_changes.
CREATE TABLE cursors (
    name TEXT PRIMARY KEY NOT NULL,
    seq  INTEGER NOT NULL,
    at   INTEGER NOT NULL
);
