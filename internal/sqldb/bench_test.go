package sqldb_test

import (
	"database/sql"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

// Issuing a credential, as tokens does it: two reads and an insert in one
// transaction, each of them durable when Update returns.
func BenchmarkIssue(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{
		"sqlite":   func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "x.db") },
		"postgres": sqldbtest.NewPostgres,
	} {
		for _, callers := range []int{1, 8, 64} {
			b.Run(name+"/"+strconv.Itoa(callers), func(b *testing.B) { benchmarkIssue(b, url(b), callers) })
		}
	}
}

func benchmarkIssue(b *testing.B, url string, callers int) {
	db, err := sqldb.Open(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(b.Context(), insertAccount, "1", "alice"); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.SetParallelism(max(1, callers/2)) // times GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := strconv.FormatInt(n.Add(1), 10)
			err := db.Update(b.Context(), func(tx *sql.Tx) error {
				var name string
				if err := tx.QueryRowContext(b.Context(), `SELECT username FROM accounts WHERE id = $1`, "1").Scan(&name); err != nil {
					return err
				}
				var ended bool
				if err := tx.QueryRowContext(b.Context(), `SELECT EXISTS (SELECT 1 FROM revocations WHERE kind = 'session' AND subject = $1)`, id).
					Scan(&ended); err != nil {
					return err
				}
				_, err := tx.ExecContext(b.Context(), `INSERT INTO credentials (id, account_id, session_id, purpose, hash, created_at, expires_at)
					VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, "1", id, "temporary", []byte(id), 1, 2)
				return err
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "issues/s")
}
