package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// A span for each statement within one, by its name in db/queries; none for what belongs to no trace; and never a value.
func TestStatementsOfATraceHaveSpans(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), nimbustest.DSN(t), 2, postgres.WithTracing())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	spans := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test")

	if _, err := pool.Exec(t.Context(), "SELECT 1"); err != nil || len(spans.GetSpans()) != 0 {
		t.Fatalf("%v, and %d spans of nobody's trace", err, len(spans.GetSpans()))
	}
	ctx, root := tracer.Start(t.Context(), "root")
	if _, err := pool.Exec(ctx, "-- name: Divide :exec\nSELECT length($1::text) / 0", "a-person"); err == nil {
		t.Fatal("divided by zero")
	}
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "-- name: Nothing :exec\nSELECT")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var p postgres.Pipeline
	for _, name := range []string{"First", "Second"} {
		if _, err := p.Exec(ctx, "-- name: "+name+" :exec\nSELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Commit(ctx, pool); err != nil {
		t.Fatal(err)
	}
	root.End()

	var names []string
	for _, s := range spans.GetSpans() {
		names = append(names, s.Name)
		if strings.Contains(fmt.Sprintf("%+v", s), "a-person") {
			t.Errorf("%s has a value", s.Name)
		}
		if failed := s.Status.Code == codes.Error; failed != (s.Name == "Divide") {
			t.Errorf("%s: failed is %t", s.Name, failed)
		}
		if s.Name != "root" && s.Parent.SpanID() != root.SpanContext().SpanID() {
			t.Errorf("%s is not of the trace", s.Name)
		}
	}
	if want := []string{"Divide", "begin", "Nothing", "commit", "BEGIN; First; Second; COMMIT", "root"}; !slices.Equal(names, want) {
		t.Errorf("spans %q, want %q", names, want)
	}
}
