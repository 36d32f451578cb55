package app

import (
	"testing"

	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/live"
)

// Everything whose size callers choose is fitted to the limit; together it leaves more than half of the limit for
// what is made of it.
func TestWhatCallersMakeTheNodeHoldFitsTheMemoryItHas(t *testing.T) {
	t.Parallel()
	held := func(limit int64) int64 {
		a := &App{ingestion: ingest.DefaultBatcherConfig(), streaming: live.DefaultConfig()}
		WithMemory(limit)(a)
		return a.bulkMemory + int64(a.ingestion.QueueBytes) + int64(a.streaming.TotalBytes)
	}
	usual := int64(httpapi.BulkMemory) + int64(ingest.DefaultBatcherConfig().QueueBytes) + int64(live.DefaultConfig().TotalBytes)
	if got := held(0); got != usual {
		t.Errorf("without a limit: %d MiB, want %d", got>>20, usual>>20)
	}
	for _, limit := range []int64{230 << 20, 460 << 20, 920 << 20} {
		if got := held(limit); got > limit/2 {
			t.Errorf("%d MiB are held of a limit of %d", got>>20, limit>>20)
		}
	}
}
