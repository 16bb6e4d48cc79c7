// Package sqldb opens Trunkline's database and brings it to the schema that
// this program speaks. Everything that is peculiar to one SQL dialect lives
// here and nowhere else.
//
// Promises:
//
//   - Open returns a database at exactly this program's schema: a new file gets
//     schema.sql, an older one the missing migrations, all or none of them. A
//     newer one, or a file that is somebody else's, is refused untouched.
//   - Writers wait for one another instead of failing: within a process they
//     queue, across processes SQLite's lock is awaited for up to BusyTimeout.
//     Readers never wait for a writer (write-ahead log).
//   - What was committed survives a power cut: a revocation that was confirmed
//     must not come undone.
//   - Foreign keys are enforced on every connection.
//
// Rules for those who write queries: placeholders are $1, $2, …; times are
// INTEGER unix milliseconds; write in ExecContext or Update, and inside
// Update use the transaction alone.
package sqldb
