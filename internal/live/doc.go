// Package live sends stored events to those who watch, as they are stored.
//
// What it guarantees:
//
//   - Only what was committed is sent, once to each stream, in one order for all streams of a node. Duplicates are not sent.
//   - Nothing is left out without a word: what a slow reader did not take in time, what a cursor is too old for, and what
//     was lost between nodes becomes a "missed" frame, with the exact number where it can be known.
//   - A cursor goes on behind its frame on every node that listened to the project meanwhile: nothing twice, nothing left out.
//   - Storing events never waits for a reader. The newest events of a project are in a ring of bounded size, each encoded
//     once, and every stream reads there at its own pace. While nobody listens to a project, storing its events costs a look.
//   - A stream ends within seconds of the session, the key, the project or the membership that it leans on.
//
// What happens when that fails: the stream is no log. When the process dies between a commit and its sending, or a
// connection to the database breaks during a commit that then turns out to have happened, those events are stored and
// never sent. GET /v1/events has them, and every "missed" frame says from when on to look there.
//
// The path of an event: events (commit) → hub.go (who listens?) → topic.go (number, keep) → nodes.go (hand to other
// nodes) → ring.go → fanout.go (the same bytes for many streams, written without waiting) → stream.go (one connection, for
// which a goroutine waits when it must; subscription.go filters there, and counts what was missed) → transport.go (WebSocket or
// Server-Sent Events). How nodes find each other's events, and what a cursor is, is in docs/adr/0011-live.md; why streams
// are written to in rounds, in docs/adr/0020-live-rounds.md.
package live
