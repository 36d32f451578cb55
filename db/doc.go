// Package db holds the schema of Nimbus, as numbered migrations, and brings a database to it.
//
// What it guarantees:
//
//   - Any number of replicas may call [Migrate] at once: one works, the others wait, and all return when the schema is
//     there. Waiting holds no snapshot and no transaction, so a CREATE INDEX CONCURRENTLY does not wait for the waiting.
//   - Each file is one transaction, and the version is recorded in it: after a kill at any point the database is at one
//     version or the next, and [Migrate] goes on from there. The exception is a file with a single CREATE or DROP INDEX
//     CONCURRENTLY, which PostgreSQL runs outside of transactions. It is recorded as unfinished first, and [Migrate] looks
//     at the index and ends it.
//   - The database says which programs may run on it: those that know its compatible_from. An older program starts on a newer
//     schema if it may, and is refused by [Migrate] and [Check] if not.
//   - Nothing is written before it is certain that the schema is ours or has room for ours. Tables of other programs stay as
//     they are, their schema_migrations too.
//   - Where the extension citus is there, the tables that grow with the events are distributed by project: once, after the
//     migrations, under the same lock.
//
// What happens when that fails: the error names the file, the line, and PostgreSQL's own words, says what state the database
// is in, and what to type next. A database of a release that recorded versions apart from the work is adopted once; where
// that release was cut off, the tables show how far it came, and what they do not prove is refused.
package db
