// Package events groups what happens to an event: how it comes in, where it is counted, how it is read back and when it
// goes. The package itself holds what all of that shares: the event, and the order of its ids.
//
//   - native: POST /v1/events; maps the contract to ingest's model and back
//   - compat: the wire formats of other vendors' SDKs, a package for each, and the quarantine of what they cannot store
//   - imports: the client that sends other products' exports
//   - ingest: the core behind every way in; rules, identity, deduplication, the transaction
//   - quota: what a project may store, asked before that transaction
//   - partitions: the tables that the events are divided into
//   - arrivals: the order of what was stored, written in that transaction
//   - rollups: counts by minute, hour and day, kept in that transaction, and their proof
//   - history: lists, the timeline of a person, and pruning
//
// They may import contract, platform and access/auth. They import nobody who reads events: live hears of them through
// an interface that ingest declares.
package events
