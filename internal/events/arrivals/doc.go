// Package arrivals is the durable order of what was stored, for those who follow it: the builder of parts, incremental exports,
// whatever comes to deliver events elsewhere.
//
// It guarantees:
//
//   - the transaction that stores events of a project says which they are, so an arrival is there exactly when its events are;
//   - a consumer that reads the rows below the oldest transaction still under way, in the order (xid, seq), misses none and sees
//     none twice: a transaction that began later may commit earlier, so neither a clock nor a sequence is such an order.
//
// Rows go when every consumer has passed them, and after a week at the latest: a consumer that fell behind reads the events themselves.
package arrivals
