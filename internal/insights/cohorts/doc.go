// Package cohorts finds the people that a tree of conditions describes.
//
// It guarantees:
//
//   - every condition is true or false of every person with an event or a profile before as_of, so not means all the
//     others, and who did something no times did it at most once;
//   - a sequence is a converted ordered funnel, all of it within the range of its clause;
//   - the answer is a set of people by their numbers, which can be stored, filter other questions, and stand in other
//     trees.
package cohorts
