// Package answers answers questions about behaviour: funnels, retention, lifecycle, stickiness, distinct people, paths, sessions and
// cohorts, and who is behind a number of such an answer.
//
// A question of the contract is resolved once, into the conditions and value columns of a scan of the behaviour store and the
// question of an operator (internal/insights/funnel …); the scan then hands people to the operator, on two cores.
//
// It guarantees:
//
//   - an answer sees everything that was committed before it was asked, in one snapshot, and proves itself against event_counts; days
//     that fail the proof are read from the events, counted, and built anew;
//   - every bad field is named at once, before anything is read;
//   - a question that needs more memory or time than one may have is refused with query_too_heavy, and says what to narrow.
package answers
