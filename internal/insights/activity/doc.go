// Package activity counts who was active when: distinct people (uniques), the lifecycle of people from period to
// period, and stickiness, in how many periods people were active.
//
// It guarantees:
//
//   - counts are of distinct people and exact: those of a week are not the sum of its days;
//   - lifecycle and stickiness are over whole periods, uniques over the range as it is, each bucket cut to it;
//   - new, returning and resurrecting together are everybody who was active in the period; the people active in
//     exactly 1, 2, … periods together are everybody who was active in one of them;
//   - the people behind a number are as many as it says.
package activity
