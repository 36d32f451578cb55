// Package sessions counts sessions: how many, how long, of how many events, how many bounced, where they began and
// ended.
//
// It guarantees:
//
//   - a session belongs to its start: it is in the range, and in the bucket, that its first event is in, with all its
//     events, also those after the range;
//   - which sessions there are, how long they are and how many events they have does not depend on the filter, which
//     chooses those that have a considered event. Where a session begins and ends, and its group, are those of its
//     first and last considered event;
//   - each session is in one group, so groups and the rest add up to the whole. Lengths are exact, none is estimated;
//   - the sessions behind a number are as many as it says.
package sessions
