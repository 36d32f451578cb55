// Package metrics answers how many events there were, by calendar bucket of a time zone, from the counts that
// internal/rollups keeps.
//
// It guarantees:
//
//   - numbers are exact: a range is covered by whole rows of event_counts, none of which lies across the boundary of a
//     bucket; where that cannot be done (a zone whose offset is not whole minutes) the question is refused, not rounded;
//   - buckets are those of the zone's calendar: they follow each other without gap or overlap, none is empty, and
//     changes of the clock lengthen, shorten or split them as they did on the wall;
//   - what is in one reply belongs together: with a breakdown everything is read from one snapshot, and the groups and
//     the rest sum up to the total;
//   - a question that would need an unreasonable reply is refused before anything is read, with the numbers.
//
// It only reads, so it may run on a replica; then it answers as of what the replica has. When the database is away
// the answer is 503 and nothing is remembered.
package metrics
