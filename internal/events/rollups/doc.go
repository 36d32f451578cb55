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
// When Apply fails, the transaction must be rolled back: the events would otherwise be stored and not counted.
//
// Events whose own name would be one too many for their project (package quota) are counted under Other. Their rows are
// marked, so that pruning and the proof count them in the same place, whatever the limit is by then.
//
// Proof proves the first point, and restores it where the table was damaged: by hand, by a restore of one table, or by
// a fault of ours. It works one UTC day of one project at a time, while ingestion goes on, and guarantees:
//
//   - Verify compares both sides in one read-only transaction, so in one snapshot. An ingest transaction is in it with
//     its events and their counts, or with neither: ingestion never makes a difference appear or disappear;
//   - Rebuild adds to a count what it lacks at that snapshot (should - has); it does not write what the count should be.
//     That is exact, because every ingest transaction adds as many to a count as it adds events to its bucket, and so
//     leaves should - has as it was. It holds for transactions that commit after the snapshot, too: the upsert adds to
//     the newest version of the row, or makes it. Ingestion does not wait while a day is compared;
//   - a count without events is reduced to 0 in the same way, and deleted under the lock that the reduction took.
//     Ingestion that waits for the row inserts it anew;
//   - only a second correction from the same snapshot would add the sum twice. So a corrector holds an advisory lock of
//     the project, on the session it corrects over, from before it compares until after its last commit. A lost session
//     keeps the lock for as long as its last transaction may still commit, and can begin no other;
//   - rows are corrected in the order of Rows, so Rebuild and ingestion do not deadlock. A transaction corrects a
//     thousand rows at most, and is tried again a moment later when it cannot lock a row at once;
//   - a transaction leaves every count it touched right. A Rebuild that was stopped has left nothing half done, and the
//     next one finds less to do.
//
// Code that deletes counts, other than those of a deleted project, must delete their events in the same transaction and
// hold the same advisory lock (RollupRepairLock), as delete_events does: otherwise a correction adds to a count that is
// gone. The lock needs a session: a pooler that hands out single transactions breaks it.
package rollups
