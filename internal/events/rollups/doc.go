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
// Proof proves the first point, and restores it where the table was damaged: by hand, by a restore of one table, or by a
// fault of ours. It works one UTC day of one project at a time, while ingestion goes on, and guarantees:
//
//   - Verify compares both sides in one read-only transaction and one snapshot. An ingest transaction is in it with its events
//     and their counts, or with neither, so ingestion never makes a difference appear or disappear;
//   - Rebuild corrects a count by adding what it lacks at that snapshot (should - has), and not by writing what it should
//     be. Why that is exact: every ingest transaction adds as many to a count as it adds events to its bucket, so should -
//     has is the same before and after it. What is committed between the snapshot and the correction, or was under way
//     and is committed later, needs no more and no less than that sum; the upsert adds it to the row's newest version, or
//     makes the row, whichever came first. No ingestion is held up while a day is compared, and none is lost or doubled;
//   - a count with no events is brought to nothing the same way and removed when nothing is left. It is this transaction
//     that has the row locked then; ingestion that waits for it makes a new one, as an upsert does;
//   - only another correction worked out of the same snapshot would add the sum twice, so whoever corrects a project
//     holds an advisory lock on the session it corrects over, from before it compares until after its last commit. A
//     session that is lost keeps the lock for as long as its last transaction may still commit, and can begin no other;
//   - rows are corrected in the order of Rows, so Rebuild and ingestion do not deadlock; a transaction corrects a
//     thousand rows at most, and gives up for a moment when it cannot have a row at once;
//   - a transaction leaves every count it touched right. A Rebuild that is stopped has nothing half done, and the next
//     one only compares what is right already.
//
// Whoever removes counts, other than those of a deleted project, must remove their events in the same transaction and
// hold the same advisory lock (RollupRepairLock), as delete_events does: a correction would otherwise add to a count that is
// gone what that count lacked. The lock needs a connection that is a session: no pooler that hands out transactions in between.
package rollups
