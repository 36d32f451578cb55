// Package crash kills Nimbus and looks for what is missing.
//
// It runs the real program as a child process on a real, durable PostgreSQL, loads it with unique events from several
// clients that retry as an SDK does, and at random moments sends SIGKILL to the server, to PostgreSQL, to one process of
// PostgreSQL, or to both, also while they are still recovering from the last time. Whatever died is started again.
//
// What it proves, as far as trying proves anything:
//
//   - every event that was acknowledged is stored;
//   - nothing is stored twice, and nothing that was never sent, or that differs from what was sent;
//   - an answer never calls an event a duplicate that was sent for the first time, nor new when it was acknowledged before;
//   - the rollups equal the events, at every granularity and in total, in SQL and over the API;
//   - only 200 and 503 are ever answered, and after each kill events are acknowledged again within a minute, without help.
//
// SIGKILL leaves the kernel and its file cache alive, so a disk that lies about fsync is not found here.
//
// It is a program of its own (cmd) and no part of the nimbus binary.
package crash
