package bench_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/bench"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// The short form shows that every measurement still finds what it measures; its numbers mean nothing.
func TestShortFormFillsEveryTable(t *testing.T) {
	t.Parallel()
	nimbus, err := nimbustest.Build(t.TempDir(), filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := bench.Options{Nimbus: nimbus, Events: 5000, Duration: 200 * time.Millisecond, PostgresBin: os.Getenv("NIMBUS_POSTGRES_BIN"), Out: &out,
		Log: slog.New(slog.DiscardHandler)}
	if err := bench.Run(t.Context(), o); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	for _, row := range []string{"| bare COPY again |", "projects in turn |", "| newest 100 events of a person", "| 24 hourly counts |", "| users by a prop |"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("there is no %q in\n%s", row, out.String())
		}
	}
	if strings.Contains(out.String(), "of 30 days with 0 events") {
		t.Error("the questions are about no events")
	}
}
