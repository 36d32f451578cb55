// Package people says who did an event, and what is known of him.
//
// Ids are numbers here: every user id and every anonymous id of a project has a dense number of its own, and an event
// carries that of its user id or, without one, that of its anonymous id. Links (an event that carries both) and
// explicit merges are applied when a question is asked: Resolve maps numbers to the numbers of people. Events are
// never rewritten, so a link or a merge acts at once and on the past, and can be undone.
//
// It guarantees:
//
//   - an anonymous id belongs to the user of the first event, in the order (ts, received_at, id), that links it, so
//     people are the same in whatever order events arrive;
//   - where a later event links it to another user, the anonymous id's own events from that one on are one new
//     anonymous person, for all later conflicts too. His number is that of the anonymous id, which is free because
//     the id belongs to a user. Conflicts are reported. Users that are merged do not conflict;
//   - merges hold for all time and chain; one that would close a circle changes nothing;
//   - a profile is the same whatever the order in which its operations arrived: they apply by ts, then received_at,
//     then in the order given.
//
// It fails for nothing: an operation that does not fit the value that is there (add to a text) leaves it as it is.
package people
