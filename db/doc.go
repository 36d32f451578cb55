// Package db holds the schema of Nimbus, as numbered migrations, and brings a database to it.
//
// What it guarantees:
//
//   - Any number of replicas may call [Migrate] at once: one works, the others wait, and all return when the schema is
//     there. Waiting holds no snapshot and no transaction, so a CREATE INDEX CONCURRENTLY does not wait for the waiting.
//   - Each file is one transaction: it is applied in full or not at all. The exception is a file with a single statement
//     that PostgreSQL runs outside of transactions, such as CREATE INDEX CONCURRENTLY; it must be alone in its file.
//   - A database that is newer than this program is refused, by [Migrate] as by [Check]: an old program cannot know what
//     the new schema asks of it.
//   - Where the extension citus is there, the tables that grow with the events are distributed by project: once, after the
//     migrations, under the same lock.
//
// What happens when that fails: the error names the file, the line, and PostgreSQL's own words, and says what state the
// database is in and what to type next. Where a run was cut off between a file and its mark in the version table (a "dirty"
// version), nothing here can tell whether that file was applied; the error says how to find out, and [Force] records the
// answer. It is never guessed.
package db
