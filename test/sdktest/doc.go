// Package sdktest is what every SDK of Nimbus is tested against: a server that misbehaves as a test tells it to and says
// what arrived. The Go and the TypeScript SDK use the same one, as a program of its own (cmd), and are held to the same
// list of behaviours, testvectors/behaviours.json. README.md says how to drive it.
//
// Where a test gives no answer of its own the server answers as Nimbus does: it verifies the signature and the
// timestamp, refuses what is too large, stores each idempotency key once and counts it as a duplicate after that.
package sdktest
