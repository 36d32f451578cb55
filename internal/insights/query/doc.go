// Package query is what the kinds of insights share: ranges of time, the calendar of a zone, the summary of
// durations, the top groups of a breakdown, and words for definitions.
//
// It guarantees:
//
//   - periods follow each other without gap or overlap and none is empty, whatever was done to the clock: hours align
//     to the zone's offset, a day runs from its first instant to the first of the next day, so it has 23, 24 or 25
//     hours;
//   - a summary is of every duration, none is estimated; percentiles are interpolated as in the answers of
//     /v1/metrics;
//   - the groups of a breakdown and the rest together are everything, and which groups are shown does not depend on
//     the sequence in which people were counted.
package query
