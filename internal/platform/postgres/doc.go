// Package postgres is how Nimbus talks to PostgreSQL: one way to open a pool, one way to run a transaction, and one place
// that classifies the errors of the database.
//
// What it guarantees:
//
//   - [Open] never waits for the database. A Nimbus whose database is away starts, says so in its readiness, and works as
//     soon as the database is back.
//   - Every session has the settings that Nimbus relies on, whatever the role, the database or the URL says.
//   - [Await] refuses at once what no waiting mends, and names the GRANT or the setting that does.
//   - [InTx] leaves no transaction open, whatever its function does: an error or a panic rolls back, and nothing is
//     committed unless the function returned nil.
//   - Every error of the pool falls into at most one class, and each class has one answer: [IsUnavailable] (503, try again
//     later), [IsRetryable] (run the transaction again, now), [IsData] (the rows themselves are at fault; no retry will
//     help). What is in none is a fault of Nimbus: 500.
//
// What happens when that fails: a commit whose answer never arrived may or may not have taken place. It is reported as
// unavailable; callers that retry must write idempotently, as ingestion does.
package postgres
