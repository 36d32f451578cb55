// Package history reads the stored events back, and deletes those that are too old.
//
// What it guarantees:
//
//   - A page of one person's events is exact whichever indexes by person there are: they decide how long it takes, and
//     are built in the background, so that ingestion does not pay for them.
//   - An event older than the limit of its project is pruned, and its counts with it in one transaction: the counts are
//     those of the events at every commit, also when pruning stops half-way. A pruned event is forgotten: sent again, it
//     is new.
package history
