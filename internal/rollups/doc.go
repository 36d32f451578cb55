// Package rollups keeps the exact counts of events by minute, hour and UTC day, in the transaction that stores the
// events.
//
// It guarantees:
//
//   - what event_counts says is what events holds, at every commit: Counts is fed the rows that were really inserted
//     and Apply runs in their transaction, so a duplicate counts once and a rollback counts nothing;
//   - every event is counted six times: under its name and under the empty name, which is the total, in its minute,
//     its hour and its day. A reader may therefore take any mixture of granularities that covers a range once;
//   - transactions that count into the same rows wait for each other and never deadlock, because all of them lock the
//     rows in the order of Rows. That holds as long as a transaction calls Apply once, after everything else that
//     locks.
//
// When Apply fails, the transaction must be rolled back: the events would otherwise be stored and not counted. A job
// that verifies or rebuilds counts needs nothing more than this package has: it feeds a Counts from events and
// compares its Rows with the table.
package rollups
