-- Version 1 to 2: device passwords, standing, SIP digests, audit, access tokens.
-- Released: never changes.

ALTER TABLE accounts ADD COLUMN blocked_at INTEGER;
ALTER TABLE accounts ADD COLUMN blocked_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN standing TEXT NOT NULL DEFAULT 'good'
    CHECK (standing IN ('good', 'suspended', 'disabled', 'moved', 'deleted', 'unconfirmed'));
ALTER TABLE accounts ADD COLUMN standing_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN trusted_until INTEGER NOT NULL DEFAULT 0;
-- A login is the last word that version 1 has from Mastodon; why an account was
-- suspended it did not note.
UPDATE accounts SET standing_at = last_login_at, trusted_until = last_login_at + 86400000,
    standing = CASE WHEN suspended_at IS NULL THEN 'good' ELSE 'suspended' END;

ALTER TABLE credentials ADD COLUMN auth_name TEXT;
ALTER TABLE credentials ADD COLUMN last_used_from TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN last_used_by TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX credentials_auth_name ON credentials (auth_name);

ALTER TABLE revocations ADD COLUMN account_id TEXT NOT NULL DEFAULT '';
ALTER TABLE revocations ADD COLUMN username TEXT NOT NULL DEFAULT '';
ALTER TABLE revocations ADD COLUMN purpose TEXT NOT NULL DEFAULT '';

CREATE TABLE sip_digests (
    credential_id TEXT PRIMARY KEY NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    realm         TEXT NOT NULL,
    ha1           TEXT NOT NULL,
    ha1b          TEXT NOT NULL,
    ha1_sha256    TEXT NOT NULL,
    ha1b_sha256   TEXT NOT NULL
);

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

CREATE TABLE access_tokens (
    hash          BLOB PRIMARY KEY NOT NULL,
    credential_id TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    account_id    TEXT NOT NULL,
    scope         TEXT NOT NULL DEFAULT '',
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

CREATE TABLE cursors (
    name TEXT PRIMARY KEY NOT NULL,
    seq  INTEGER NOT NULL,
    at   INTEGER NOT NULL
);
