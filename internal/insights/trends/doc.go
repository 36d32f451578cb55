// Package trends measures events by calendar bucket of a time zone: how many there were, of how many people, and the
// statistics of a number in their props. Plain counts come from the counts that internal/events/rollups keeps, everything else
// from the events themselves.
//
// It guarantees:
//
//   - numbers are exact: a range is covered by whole rows of event_counts, none of which lies across the boundary of a
//     bucket, or computed from every event in it. Distinct people and percentiles of a range, or of the rest of a
//     breakdown, are measured on their own and never derived from parts. Where that cannot be done (a zone whose offset
//     is not whole minutes) the question is refused, not rounded;
//   - buckets are those of the zone's calendar: they follow each other without gap or overlap, none is empty, and
//     changes of the clock lengthen, shorten or split them as they did on the wall;
//   - what is in one reply belongs together: with a breakdown everything is read from one snapshot, and the groups and
//     the rest are all the events;
//   - nothing that a caller sends is part of the text of a statement: sql.go writes it, and values are bound;
//   - a question that would need an unreasonable reply, or read too many events, is refused before anything is read; one
//     that takes too long is cancelled. The answer is 422 and says what to narrow. When the caller goes away the
//     database stops too.
//
// It only reads, so internal/platform/replica may have a standby answer, as of what that has replayed. When the database is away
// the answer is 503 and nothing is remembered.
package trends
