package mastodondb

import (
	"strings"
	"unicode"
)

// columns are all that Check reads. Some exist only in newer versions of
// Mastodon.
var columns = []struct{ table, names string }{
	{"accounts", "id username domain suspended_at memorial moved_to_account_id requested_deletion_at"},
	{"users", "id account_id encrypted_password confirmed_at approved disabled otp_required_for_login role_id"},
	{"user_roles", "id require_2fa"},
	{"webauthn_credentials", "user_id"},
}

// RoleSQL is what the admin runs as a superuser in Mastodon's database (psql
// mastodon_production) to make a user for Trunkline that can read the few columns
// that Check needs, and write nothing. It can be run again: after an upgrade of
// Mastodon it adds the columns that are new. It sets no password.
func RoleSQL(role string) string {
	role = strings.ReplaceAll(strings.Map(printable, role), "$", "")
	var list []string
	for _, t := range columns {
		for name := range strings.FieldsSeq(t.names) {
			list = append(list, "('"+t.table+"', '"+name+"')")
		}
	}
	return strings.NewReplacer("ROLE_LITERAL", literal(role), "ROLE_NAME", identifier(role), "COLUMNS", strings.Join(list, ",\n            ")).Replace(
		`-- Run this as a superuser in Mastodon's database, for example:
--   trunkline config mastodon-db-role | sudo -u postgres psql mastodon_production
-- Then give the role a password (psql asks for it):
--   sudo -u postgres psql -c '\password ROLE_NAME' mastodon_production
-- Run it again after each upgrade of Mastodon.
DO $trunkline$
DECLARE
    c record;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = ROLE_LITERAL) THEN
        CREATE ROLE ROLE_NAME LOGIN;
    END IF;
    ALTER ROLE ROLE_NAME NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT;
    ALTER ROLE ROLE_NAME SET default_transaction_read_only = on;
    ALTER ROLE ROLE_NAME SET statement_timeout = '2s';
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), ROLE_LITERAL);
    GRANT USAGE ON SCHEMA public TO ROLE_NAME;
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ROLE_NAME;
    FOR c IN
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND (table_name, column_name) IN (
            COLUMNS)
    LOOP
        EXECUTE format('GRANT SELECT (%I) ON public.%I TO %I', c.column_name, c.table_name, ROLE_LITERAL);
    END LOOP;
END
$trunkline$;
`)
}

// printable drops what would end a comment or a name.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// identifier and literal quote a name for SQL.
func identifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
