// Package test groups harnesses and measurements: programs and helpers that the server never needs.
//
//   - nimbustest: a database for each test, PostgreSQL, Redis and standbys to break
//   - apptest: the real program on a port of its own, with a client that holds every reply to the contract
//   - sdktest: a server that misbehaves on purpose, for the trackers
//   - crash: kill -9 under load, and the search for what was lost
//   - bench: the tables of docs/benchmarks.md
//
// Nothing below internal imports it, save tests.
package test
