-- Version 1 of the schema, as released. DO NOT EDIT.
-- One person of the Mastodon server. id is Mastodon's accounts.id.
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
    suspended_at   INTEGER
);

-- One secret that an XMPP or SIP server accepts. Only its keyed hash is kept.
CREATE TABLE credentials (
    id            TEXT PRIMARY KEY NOT NULL,
    account_id    TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    session_id    TEXT NOT NULL DEFAULT '',
    purpose       TEXT NOT NULL CHECK (purpose IN ('temporary', 'internal', 'device')),
    service       TEXT NOT NULL DEFAULT 'xmpp',
    name          TEXT NOT NULL DEFAULT '',
    hash          BLOB NOT NULL UNIQUE,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    first_used_at INTEGER,
    last_used_at  INTEGER,
    revoked_at    INTEGER
);
CREATE INDEX credentials_account ON credentials (account_id);
CREATE INDEX credentials_session ON credentials (session_id);
CREATE INDEX credentials_expiry ON credentials (expires_at);

-- What ended, for every process that holds streams. Polled by seq.
CREATE TABLE revocations (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL CHECK (kind IN ('credential', 'session', 'account')),
    subject TEXT NOT NULL,
    reason  TEXT NOT NULL DEFAULT '',
    at      INTEGER NOT NULL
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

-- What a person agreed to show now, and every change of it.
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
