// Package measures measures series of events and people over time, and computes formulas of them.
//
// A Line is one series. Most are measured column by column (scan.Measure). Those that need to know what one person did
// (first time ever, events a person, people of the last so many days, people so far) are measured by People, an operator that
// is given people one by one. Both fill a Table: numbers for each bucket and the whole range, of all events and of each group.
//
// It guarantees:
//
//   - numbers are exact: sums are of decimals, people are counted, percentiles are interpolated between the two values next to
//     them; what was measured of nothing is 0 for counts and sums and NaN, which answers write as null, for all else;
//   - totals are of the whole range and never derived from buckets where they do not add up;
//   - a formula is null where one of its series is, where it divides by nothing, and where its number is beyond a double;
//   - the people behind a number are those whose events were measured there: as many as it says where people are counted.
package measures
