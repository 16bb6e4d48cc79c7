// Package sqldbtest gives tests a database of their own.
package sqldbtest

import (
	"path/filepath"
	"testing"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// New returns a fresh database with the current schema, in a file of its own
// that goes away with the test.
func New(tb testing.TB) *sqldb.DB {
	tb.Helper()
	db, err := sqldb.Open(tb.Context(), "sqlite:"+filepath.Join(tb.TempDir(), "trunkline.db"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}
