package sqldb

import "context"

// What the tests of the PostgreSQL side need: they stand outside of this
// package because they use sqldbtest.
var (
	Migrations   = migrations
	SchemaText   = schema
	PostgresURL  = postgresConfig
	CollidedWith = collided
	Tables       = tables

	ErrPostgresURL = errPostgresURL
	ErrListenWord  = errListenWord
)

// OpenAt opens the database as a program would that knows these migrations.
func OpenAt(ctx context.Context, url, schema string, migrations []string) (*DB, error) {
	return openWith(ctx, url, schema, migrations)
}
