// Package nimbustest gives each test a real PostgreSQL database of its own.
//
// What it guarantees:
//
//   - A database from [DB] or [DSN] is migrated and empty, and no other test sees it: all of them may run in parallel. It
//     is a copy of a template that is migrated once, so it costs milliseconds, and it is dropped with its test.
//   - The server is the one of NIMBUS_TEST_DATABASE_URL, the Citus coordinator of NIMBUS_TEST_CITUS_URL, whose database is
//     then on all workers, too, or one embedded server for each test process, which [Main] stops.
//     What killed test processes left behind is removed by a later run.
//   - A test that keeps a connection fails, and says how many.
//   - Waiting is [Eventually] and [Await], which end at once when what is waited for has come, and have a patience that
//     only what is broken runs out of. No test measures time, on a machine that may be doing something else.
//
// What happens when that fails: where there is no server to be had, the test fails and is never skipped, since a suite
// that silently tests nothing is worse than a red one. The servers are not durable: nothing worth keeping belongs in them.
package nimbustest
