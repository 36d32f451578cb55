// Package nimbus sends events to a Nimbus server, in the background and without loss.
//
//	tracker, err := nimbus.New(nimbus.Config{URL: url, ProjectID: id, KeyID: keyID, Secret: secret})
//	…
//	err = tracker.Track(ctx, "signed_up", map[string]any{"plan": "pro"}, nimbus.WithUserID("user_123"))
//	…
//	err = tracker.Close(ctx)
//
// Track queues and returns. Batches are sent in the background, and again until the server has committed them.
// Repeating is always safe, because each event carries an idempotency key and the time of the call. An event is
// delivered, or reported with the reason, or kept in the spool: none is lost in silence. README.md says what happens
// in each case of failure.
//
// Package api calls everything else that the server offers: questions, events, projects. Package nimbustest tests
// what a program tracks, without a server.
//
// [Sign] and [SigningEditor] sign requests of any other client. A secret in a program that users can take apart, in a
// browser or an app, is no secret: use a write key there.
package nimbus
