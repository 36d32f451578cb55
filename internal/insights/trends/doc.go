// Package trends measures events by bucket of a calendar: how many there were, of how many people, and the statistics of a
// number in their props: GET /v1/metrics and POST /v1/metrics/query. A question is answered by the first source that has what it
// asks: plain counts by the counts that internal/events/rollups keeps, the rest by the parts of internal/behaviour, and what these
// do not have by the events themselves, with the same numbers. POST /v1/insights/trends is in answers and measures.
//
// It guarantees:
//
//   - numbers are exact: a range is covered by whole rows of event_counts, none of which lies across the bound of a
//     bucket, or computed from every event in it. Distinct people and percentiles of a range, or of the rest of a
//     breakdown, are measured on their own and never derived from parts. Where that cannot be done (a zone whose offset
//     is not whole minutes) the question is refused, not rounded;
//   - the numbers of one reply belong together: with a breakdown everything is read from one snapshot, and the groups and
//     the rest are all the events;
//   - nothing that a caller sends is part of the text of a statement: sql.go and sql_condition.go write it, and values are
//     bound;
//   - a question that would need an unreasonable reply, or read too many events, is refused before anything is read; one
//     that takes too long is cancelled. The answer is 422 and says what to narrow. When the caller goes away the
//     database stops too.
//
// It only reads, so internal/platform/replica may have a standby answer, as of what that has replayed. When the database is
// away the answer is 503 and nothing is remembered.
package trends
