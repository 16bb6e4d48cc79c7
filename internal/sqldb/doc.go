// Package sqldb opens Trunkline's database, SQLite or PostgreSQL, and brings it
// to the schema that this program speaks. Everything that is peculiar to one SQL
// dialect lives here and nowhere else.
//
// Promises:
//
//   - Open returns a database at exactly this program's schema: a new one gets
//     schema.sql, an older one the missing migrations, all or none of them. A
//     newer one, or one that is somebody else's, is refused untouched. Nodes that
//     start at the same time migrate one after the other.
//   - Writers do not fail because of one another. In a SQLite file they take
//     turns: within a process in a queue, across processes by SQLite's lock. On
//     PostgreSQL they run serialisably and try again after a collision. Either is
//     given up after BusyTimeout. Readers never wait for a writer.
//   - What was committed survives a power cut: a revocation that was confirmed
//     must not come undone.
//   - Foreign keys are enforced on every connection.
//   - No error contains a password.
//
// Rules for those who write queries: placeholders are $1, $2, …; times are
// INTEGER unix milliseconds; text is compared by its bytes; bool stands in
// BOOLEAN or INTEGER columns; write in ExecContext or Update, and inside Update
// use the transaction alone and expect to be run twice. No query may need a
// function that only one dialect has.
//
// Goroutines: one for each Listen, which Close ends and waits for.
package sqldb
