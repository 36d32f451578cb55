package native

import (
	"testing"

	"github.com/bahagh/nimbus/gen/api"
)

// It is what a Go program sends that has forgotten to set the time. Taken for an absent ts, the event would be stored as
// of now.
func TestTheZeroTimeIsABadTSAndNotAnAbsentOne(t *testing.T) {
	t.Parallel()
	const body = `{"project_id":"01964f1e-6f4e-7c3a-9b2d-1f0e5a7c8d90","events":[{"name":"a"},{"name":"b","ts":"0001-01-01T00:00:00Z"}]}`
	bad, err := decode(new(api.IngestRequest), []byte(body))
	if err != nil || len(bad) != 1 || bad[0].Pointer != "/events/1/ts" || bad[0].Code != "minimum" || bad[0].Item != 1 {
		t.Errorf("%+v, %v", bad, err)
	}
}
