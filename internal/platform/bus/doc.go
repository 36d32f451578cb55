// Package bus carries messages from one node to the others: [Bus]. [Hub] is the bus of a single node; internal/platform/redis
// has the one of many. One suite of tests holds both to the same behaviour.
//
// What it guarantees: a message reaches each subscription once, in the order of its publisher. Publish never waits for a
// subscriber.
//
// What happens when that fails: a subscriber that is too slow, or may have missed something while a connection was away, is
// told that messages may be missing. Messages are not kept.
package bus
