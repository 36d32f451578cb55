// Package query is what the kinds of insights share: the range of a question and the calendar of its zone, the tree of
// conditions on props, the limits of what a question may cost, the plan that covers a range with rows of event_counts, the
// summary of durations, the top groups of a breakdown, and words for definitions.
//
// It guarantees:
//
//   - buckets follow each other without gap or overlap and none is empty, whatever was done to the clock: hours align to
//     the zone's offset, a day runs from its first instant to the first of the next day, so it has 23, 24 or 25 hours;
//   - everything that is wrong with a question is said at once (Invalid), by the ways to the fields and not by JSON pointers:
//     what stands where in a request is known to http.go of each package;
//   - a question is refused by what was asked and never because of the data there is, but for the number of events (Limits);
//   - a summary is of every duration, none is estimated; percentiles are interpolated as in the answers of /v1/metrics;
//   - the groups of a breakdown and the rest together are everything, and which groups are shown does not depend on the
//     sequence in which people were counted.
package query
