// Package nimbus sends events to Nimbus and calls its API.
//
// A [Tracker] is what a program that sends events wants:
//
//	tracker, err := nimbus.New(nimbus.Config{URL: url, ProjectID: id, KeyID: keyID, Secret: secret})
//	…
//	err = tracker.Track(ctx, "signed_up", map[string]any{"plan": "pro"}, nimbus.WithUserID("user_123"))
//	…
//	err = tracker.Close(ctx)
//
// Track queues and returns; batches are sent in the background, and again until the server has committed them. That is safe
// for ever, because each event carries an idempotency key and the time of the call. An event is delivered, or reported with
// the reason, or kept in the spool: none is lost in silence. README.md says what happens in each case of failure.
//
// An [API] is what a program that asks questions or manages projects wants: the methods of the generated
// [ClientWithResponses], one for each operation of the contract, with typed errors, sessions that renew themselves, and
// iterators over lists. The types and methods in client.gen.go are generated from openapi/nimbus.yaml, so that they say exactly
// what the server says.
//
// [Sign] and [SigningEditor] sign requests of any other client. A secret in a program that strangers hold, a browser or an
// app, is no secret: use a write key there.
//
// Package nimbustest tests what a program tracks, without a server.
package nimbus
