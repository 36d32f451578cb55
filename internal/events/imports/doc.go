// Package imports sends history to a Nimbus: the exports of other vendors, tables, and events in Nimbus' own format.
//
// It is a client. Everything goes through POST /v1/events and /v1/people/operations with the Go SDK, so that it works from
// anywhere, and what an imported event is promised is what every event is. The mapping of a vendor's lines is that of its
// SDKs, in package compat.
//
// What it guarantees:
//
//   - A line is stored once, however often its file is imported. The vendor's id is the idempotency key; a line without one
//     is known by the name of its file, its place in it and its contents.
//   - A run that ends in the middle is gone on with. Lines are sent in chunks, several at once, and the state file has the
//     line up to which every chunk was answered for. What came behind it is sent again, and found to be there.
//   - A line that is not understood costs its neighbours nothing. It is counted by the reason, and kept if asked.
//   - A server that is busy, or away, is waited for.
package imports
