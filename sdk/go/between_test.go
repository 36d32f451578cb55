package nimbus_test

import "testing"

// Proxies and portals answer as they please. Unless it is a refusal, an answer that is not the server's is none.
func TestOnlyA4xxIsARefusal(t *testing.T) {
	t.Parallel()
	retries(`{"status": 202}, {"status": 204}, {"status": 300}, {"status": 304}`)(t)
}
