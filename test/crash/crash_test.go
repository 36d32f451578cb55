package crash_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/test/crash"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// TestNothingAcknowledgedIsLostByKill9UnderLoad is the short form of make crash: an in-memory buffer that dies with its
// process, and a mark that is set before the write, are the bugs it would find.
func TestNothingAcknowledgedIsLostByKill9UnderLoad(t *testing.T) {
	t.Parallel()
	nimbus, err := nimbustest.Build(t.TempDir(), filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano()) % 1_000_000 // printed when it fails
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprintf("own=%t", own), func(t *testing.T) {
			s, err := crash.Run(t.Context(), crash.Options{Nimbus: nimbus, Cycles: 6, Clients: 4, Seed: seed, Own: own,
				PostgresBin: os.Getenv("NIMBUS_POSTGRES_BIN"), CacheDir: embedded.DefaultCacheDir(), Out: io.Discard,
				Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			t.Log(s)
			if s.Cycles != 6 || s.Acked == 0 || s.Stored < s.Acked || s.OperationsAcked == 0 || s.OperationsStored < s.OperationsAcked {
				t.Errorf("nothing was tried: %+v", s)
			}
		})
	}
}
