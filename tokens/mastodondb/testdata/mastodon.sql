-- The tables of Mastodon 4.3 as its db/schema.rb makes them, without the columns
-- and indexes that have nothing to do with signing in.
CREATE TABLE user_roles (
    id bigserial PRIMARY KEY, name varchar NOT NULL DEFAULT '', color varchar NOT NULL DEFAULT '',
    position integer NOT NULL DEFAULT 0, permissions bigint NOT NULL DEFAULT 0, highlighted boolean NOT NULL DEFAULT false,
    created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL
);
CREATE TABLE accounts (
    id bigserial PRIMARY KEY, username varchar NOT NULL DEFAULT '', domain varchar, private_key text,
    public_key text NOT NULL DEFAULT '', created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
    note text NOT NULL DEFAULT '', display_name varchar NOT NULL DEFAULT '', locked boolean NOT NULL DEFAULT false,
    memorial boolean NOT NULL DEFAULT false, moved_to_account_id bigint REFERENCES accounts (id) ON DELETE SET NULL,
    actor_type varchar, silenced_at timestamp, suspended_at timestamp, suspension_origin integer,
    sensitized_at timestamp, trendable boolean
);
CREATE UNIQUE INDEX index_accounts_on_username_and_domain_lower ON accounts (lower(username), COALESCE(lower(domain), ''));
CREATE TABLE users (
    id bigserial PRIMARY KEY, email varchar NOT NULL DEFAULT '', created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
    encrypted_password varchar NOT NULL DEFAULT '', reset_password_token varchar, reset_password_sent_at timestamp,
    sign_in_count integer NOT NULL DEFAULT 0, current_sign_in_at timestamp, last_sign_in_at timestamp,
    confirmation_token varchar, confirmed_at timestamp, confirmation_sent_at timestamp, unconfirmed_email varchar,
    locale varchar, consumed_timestep integer, otp_required_for_login boolean NOT NULL DEFAULT false,
    last_emailed_at timestamp, otp_backup_codes varchar[], account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    disabled boolean NOT NULL DEFAULT false, invite_id bigint, chosen_languages varchar[], created_by_application_id bigint,
    approved boolean NOT NULL DEFAULT true, sign_in_token varchar, sign_in_token_sent_at timestamp, webauthn_id varchar,
    sign_up_ip inet, skip_sign_in_token boolean, role_id bigint REFERENCES user_roles (id) ON DELETE SET NULL,
    settings text, time_zone varchar, otp_secret varchar
);
CREATE UNIQUE INDEX index_users_on_email ON users (email);
CREATE INDEX index_users_on_account_id ON users (account_id);
CREATE TABLE webauthn_credentials (
    id bigserial PRIMARY KEY, external_id varchar NOT NULL, public_key varchar NOT NULL, nickname varchar NOT NULL,
    sign_count bigint NOT NULL DEFAULT 0, user_id bigint REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL
);
CREATE TABLE oauth_access_tokens (
    id bigserial PRIMARY KEY, token varchar NOT NULL, refresh_token varchar, expires_in integer, revoked_at timestamp,
    created_at timestamp NOT NULL, scopes varchar, application_id bigint,
    resource_owner_id bigint REFERENCES users (id) ON DELETE CASCADE, last_used_at timestamp, last_used_ip inet
);
INSERT INTO user_roles (id, name, created_at, updated_at) VALUES (-99, '', now(), now()), (1, 'Moderator', now(), now());
INSERT INTO accounts (id, username, actor_type, created_at, updated_at) VALUES (-99, 'mastodon.internal', 'Application', now(), now());
