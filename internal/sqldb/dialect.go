package sqldb

import (
	"context"
	"database/sql"
)

// Dialect is the kind of a database.
type Dialect string

// The dialects. Their text is the scheme of the URLs that name them.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Dialect says what kind of database this is.
func (db *DB) Dialect() Dialect { return SQLite }

// Serialize makes every other transaction that calls it with the same name wait
// until tx has ended. Whoever numbers rows that others follow calls it before
// the first of them, so that a smaller number never becomes visible after a
// greater one. On SQLite there is one writer at a time anyway.
func Serialize(ctx context.Context, tx *sql.Tx, name string) error {
	return nil
}

// Notify wakes who listens to this channel, in every process, once tx has been
// committed. On SQLite nobody hears it: there a follower polls.
func (db *DB) Notify(ctx context.Context, tx *sql.Tx, channel string) error {
	return nil
}

// Listen returns a channel that holds a token after a Notify, until ctx ends.
// Tokens do not pile up and some may be missed when the connection is lost, so
// a follower reads everything that is new at each token and polls now and then
// besides. On SQLite it never fires.
func (db *DB) Listen(ctx context.Context, channel string) <-chan struct{} {
	return nil
}
