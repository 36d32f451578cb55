// Package live sends events to subscribers right after their commit.
//
// What it guarantees:
//
//   - Only what was committed is sent, once to each stream, in one order for all streams of a node. Duplicates are
//     not sent.
//   - No event is left out silently: a subscriber that is too slow, a cursor that is too old, and a message lost
//     between nodes each give a "missed" frame, with the exact number of events where it can be known.
//   - A reconnect with a cursor resumes behind its frame, with no duplicate and no gap, on every node that had a
//     subscriber of the project meanwhile.
//   - Storing events never waits for a subscriber. The newest events of a project are in a ring of bounded size, each
//     encoded once, and every stream reads from it at its own pace. Without a subscriber, an event costs one map
//     look-up.
//   - A stream ends within seconds of the session, the key, the project or the membership that it depends on.
//
// What happens when that fails: the stream is no log. When the process dies between a commit and its sending, or a
// connection to the database breaks during a commit that then turns out to have happened, those events are stored and
// never sent. GET /v1/events has them, and every "missed" frame says from when on to look there.
//
// The path of an event: events (commit) → hub.go (is there a subscriber?) → topic.go (sequence number) → nodes.go
// (publish to other nodes) → ring.go → fanout.go (the same bytes for many streams, written without blocking) →
// stream.go (one connection, with a goroutine for blocking writes; subscription.go filters for it and counts missed
// events) → transport.go (WebSocket or Server-Sent Events). docs/adr/0011-live.md defines a cursor and says how nodes
// subscribe to each other's events; docs/adr/0020-live-rounds.md says why streams are written to in rounds.
package live
