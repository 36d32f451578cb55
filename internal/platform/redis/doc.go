// Package redis is the shared state of many nodes in a Redis server: the backend of internal/platform/ratelimit, the bus of internal/platform/bus, and the only
// package that knows the client library.
//
// What it guarantees:
//
//   - A start does not need Redis, and a Redis that goes away, hangs, refuses to write or comes back empty stops nothing:
//     the first call that gets no answer within the time-out closes the way to Redis, so that every later one fails at
//     once; a probe opens it again when Redis does what calls need, a script that writes.
//   - A call is one round trip: the decisions are Lua scripts, with the clock of Redis, which is the same for every node.
//   - A message reaches the subscriptions of its own node directly, with Redis or without, and those of other nodes
//     through Redis, each once. A subscriber that may have missed one, because a connection was lost on either side, is told.
//   - Every key begins with "nimbus:" and expires by itself.
//
// What happens when that fails: internal/platform/ratelimit answers for this node alone. Messages to other nodes are not kept:
// the receivers are told that they lost something, and read it again from PostgreSQL. A node that is killed between its
// commit and its message tells nobody.
package redis
