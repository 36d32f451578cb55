// Package sdktest is the fault-injecting server that every SDK of Nimbus is tested against: it misbehaves as a test's
// script says and reports the requests that arrived. The Go and the TypeScript SDK use the same one, as a program of
// its own (cmd), and are tested by the same list of behaviours, testvectors/behaviours.json. README.md says how to
// drive it.
//
// Where a test gives no answer of its own the server answers as Nimbus does: it verifies the signature and the
// timestamp, refuses what is too large, stores each idempotency key once and counts it as a duplicate after that.
package sdktest
