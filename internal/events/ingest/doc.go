// Package ingest stores events and reads them back.
//
// What it guarantees:
//
//   - An answer of "accepted" or "duplicate" is given after PostgreSQL has committed the event and its rollups in one
//     transaction. There is no acknowledgement from memory: when the process dies, what was answered is on disk and
//     what was not answered may be sent again.
//   - Sending an event again stores nothing. Its id is derived from what identifies it, the id is the primary key, and
//     the write itself fails on what is there or skips it: the check and the write are one statement, so a failed write
//     leaves no mark that would turn the retry into a "duplicate".
//   - An event older than the limit of its project is pruned, and its counts with it in one transaction: the counts are
//     those of the events at every commit, also when pruning stops half-way. Then it is forgotten: sent again, it is new.
//   - A page of one person's events is exact whichever indexes by person there are: they decide how long it takes, and
//     are built behind ingestion, which does not pay for them.
//   - A bad event does not harm its neighbours, neither in its own request nor in others that share its transaction.
//
// When the database is away or full, or more is waiting than the queue holds, the answer is a 503 with Retry-After and
// nothing of the request is stored; when that goes on, readiness says so. When the connection is lost during the commit,
// whether it happened is not known: the answer is a 503 too, and the retry finds duplicates or stores, whichever is right.
//
// The path of an event: http.go (decode, name every bad field) → ingest.go (rules, id) → batcher.go (share a
// transaction with whoever is waiting) → store.go (insert, roll up, commit) → the publisher, if any → answer.
package ingest
