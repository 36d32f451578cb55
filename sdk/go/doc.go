// Package nimbus is a client of the Nimbus analytics API.
//
// The types and methods in client.gen.go are generated from the contract, openapi/nimbus.yaml, so that they say exactly what the
// server says: [ClientWithResponses] has one method for each operation, and its reply has one field for each documented
// status. A reply whose status the contract does not name leaves all of them nil; look at StatusCode then.
//
// Events are durable when IngestEvents answers 200. After a lost reply, or a 503, send the same request again: with an
// IdempotencyKey on every event it is counted once, however often it arrives.
//
// [SigningEditor] signs requests with a project's key pair, which is how a server should send events. A secret in a program
// that strangers hold, a browser or an app, is no secret: use a write key there.
package nimbus
