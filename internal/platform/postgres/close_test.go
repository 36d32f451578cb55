package postgres_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// A connection that is never given back does not keep the process from ending, and is told of.
func TestCloseDoesNotWaitWithoutEnd(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), nimbustest.EmptyDSN(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	postgres.CloseWithin(time.Millisecond, pool, slog.New(slog.NewTextHandler(&said, nil)))
	if !strings.Contains(said.String(), "still in use") || !strings.Contains(said.String(), "connections=1") {
		t.Errorf("it says %q", said.String())
	}
	_ = kept.Conn().Close(context.WithoutCancel(t.Context()))
	kept.Release()
}
