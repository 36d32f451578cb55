// Package ingest is the core behind every way in: it stores events, each once, and counts them.
//
// A way in (native, a vendor's protocol, an import, a consumer of a log) maps what it is sent to a Request and the
// results to its own reply. It checks the contract of its protocol; the rules of Nimbus are applied here.
//
// What it guarantees:
//
//   - A result of Stored or Duplicate is given after PostgreSQL has committed the event and its counts in one
//     transaction. There is no acknowledgement from memory: when the process dies, what was answered is on disk and
//     what was not answered may be sent again.
//   - Sending an event again stores nothing. Its id is derived from what identifies it, the id is the primary key, and
//     the insert itself fails on what is there or skips it: the check and the insert are one statement, so a failed
//     insert leaves no mark that would turn the retry into a Duplicate.
//   - A bad event does not harm its neighbours, neither in its own request nor in others that share its transaction.
//
// When the database is away or full, or more is waiting than the queue holds, the answer is a problem of status 503
// with Retry-After, and nothing of the request is stored; when that goes on, readiness says so. When the connection
// is lost during the commit, it is not known whether that happened: the answer is a 503 too, and the retry finds
// duplicates or stores, whichever is right.
//
// The path of an event: Ingester.Ingest (rules, id) → Batcher.Submit (queue) → flush → commitBatches → commit →
// Store.Append → appendTx → insertAll, copyAll or insertNew, and rollups.Apply → Publisher → result.
package ingest
