// Package crash kills Nimbus under load and looks for lost events.
//
// Profile operations are sent beside them, and the same holds of those; the profiles that the API shows are what they add up to.
//
// It runs the real program as a child process on a real, durable PostgreSQL, loads it with unique events from several
// clients that retry as an SDK does, and at random moments sends SIGKILL to the server, to PostgreSQL, to one process
// of PostgreSQL, or to both, also while they are still recovering from the last time. Whatever died is started again.
//
// What it tests:
//
//   - every event that was acknowledged is stored;
//   - no event is stored twice, none that was never sent, and none with other fields than were sent;
//   - an event sent for the first time is never reported as a duplicate, one acknowledged before never as new;
//   - the rollups equal the events, at every granularity and in total, in SQL and over the API;
//   - every answer is a 200 or a 503, and after each kill events are acknowledged again within a minute, without
//     intervention.
//
// SIGKILL leaves the kernel and its file cache alive, so a disk that lies about fsync is not found here.
//
// It is a program of its own (cmd) and no part of the nimbus binary.
package crash
