// Package events groups what happens to an event: how it comes in, where it is counted, how it is read back and when it goes.
//
//   - ingest: the one way into the database; rules, identity, deduplication, the transaction
//   - rollups: counts by minute, hour and day, kept in that transaction, and their proof
//
// It may import contract, platform and access/auth. It imports nobody who reads events: live hears of them through an
// interface that ingest declares.
package events
