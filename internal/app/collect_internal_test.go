package app

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestTheRoomOfTheEmbeddedDatabaseIsTold(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	reg.MustRegister(diskCollector(t.TempDir()))
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "nimbus_disk_free_bytes" || families[0].GetMetric()[0].GetGauge().GetValue() <= 0 {
		t.Errorf("%v, %v", families, err)
	}
	// A zero would be an alert at night: of a directory that is not there nothing is told.
	gone := prometheus.NewRegistry()
	gone.MustRegister(diskCollector(t.TempDir() + "/none"))
	if families, err := gone.Gather(); err != nil || len(families) != 0 {
		t.Errorf("%v, %v", families, err)
	}
}
