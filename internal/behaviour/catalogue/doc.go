// Package catalogue knows the names of a project's events, their props, and the values of these, so that nothing that was
// sent has to be typed.
//
// The builder of parts keeps it: what it takes into the parts of a day it tallies for the day, and for all days together,
// in the same transaction (Add). A day that is built anew is tallied anew (Clear). So the catalogue forgets what is pruned
// or erased when the parts do. An answer adds the events that are in no part yet, the latest of them.
//
// It guarantees:
//
//   - names, props, types, counts and the range of numbers are of all events in parts and of the latest 2,000 that are in
//     none: an event that was acknowledged is found at once;
//   - it is bounded: 10,000 names of a project, 1,000 props of a name, 200 values of a prop and day. What is beyond them
//     is counted, and not listed;
//   - an answer reads as many rows as it has items to choose from, however many events there are.
package catalogue
