package history

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// world is a Store and what fills it.
type world struct {
	*Store
	in *ingest.Store
}

func newWorld(pool *pgxpool.Pool) world { return world{NewStore(pool), ingest.NewStore(pool)} }

func (w world) Append(ctx context.Context, rows []*ingest.Row) error { return w.in.Append(ctx, rows) }

func rowAt(project uuid.UUID, key string, ts time.Time) *ingest.Row {
	hash := sha256.Sum256([]byte(project.String() + key))
	id := events.NewID(ts, [events.IDHashBytes]byte(hash[:]))
	return &ingest.Row{Event: events.Event{ProjectID: project, ID: id, TS: ts, ReceivedAt: ts, Name: "e", Props: []byte("{}")}}
}
