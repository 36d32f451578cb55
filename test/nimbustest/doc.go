// Package nimbustest gives each test a real PostgreSQL database of its own.
//
// What it guarantees:
//
//   - A database from [DB] or [DSN] is migrated and empty, and no other test sees it: all of them may run in
//     parallel. It is a copy of a template that is migrated once, so it costs milliseconds, and it is dropped with
//     its test.
//   - The server is the one of NIMBUS_TEST_DATABASE_URL, the Citus coordinator of NIMBUS_TEST_CITUS_URL, whose
//     database is then on all workers, too, or one embedded server for each test process, which [Main] stops. A later
//     run removes the files of killed test processes.
//   - A test that keeps a connection fails, and says how many.
//   - Tests wait with [Eventually] and [Await], which return as soon as the condition holds, and whose time-out is so
//     long that only a fault reaches it. No test measures time, because the machine may be busy.
//
// What happens when that fails: without a server the test fails and is never skipped, since a suite that silently
// tests nothing is worse than one that fails. The servers are not durable: their data may be lost.
package nimbustest
