package nimbus_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// BenchmarkTrack measures what a call costs its caller, with props as they usually are. Nothing is sent: the queue is
// flushed into a client that swallows it, outside of the measured time.
func BenchmarkTrack(b *testing.B) {
	props := map[string]any{"plan": "pro", "amount": 49.9, "items": 3}
	for name, track := range map[string]func(*nimbus.Tracker) error{
		"no props": func(x *nimbus.Tracker) error {
			return x.Track(b.Context(), "page_view", nil, nimbus.WithUserID("user_123"))
		},
		"3 props": func(x *nimbus.Tracker) error {
			return x.Track(b.Context(), "purchased", props, nimbus.WithUserID("user_123"))
		},
	} {
		b.Run(name, func(b *testing.B) {
			x := swallowing(b, nimbus.Config{})
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%queued == queued-1 {
					b.StopTimer()
					if err := x.Flush(b.Context()); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				if err := track(x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTrackSpooled is BenchmarkTrack with each event in the spool when Track returns.
func BenchmarkTrackSpooled(b *testing.B) {
	x := swallowing(b, nimbus.Config{SpoolDir: b.TempDir()})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%queued == queued-1 {
			b.StopTimer()
			if err := x.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		if err := x.Track(b.Context(), "page_view", nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeliver measures everything an event costs this process: tracked, batched, signed and sent.
func BenchmarkDeliver(b *testing.B) {
	x := swallowing(b, nimbus.Config{WhenFull: nimbus.Block, FlushInterval: time.Millisecond})
	b.ReportAllocs()
	for b.Loop() {
		if err := x.Track(b.Context(), "purchased", map[string]any{"plan": "pro", "amount": 49.9}); err != nil {
			b.Fatal(err)
		}
	}
	if err := x.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// queued is how many events wait before the benchmark lets them go.
const queued = 8_000

func swallowing(b *testing.B, c nimbus.Config) *nimbus.Tracker {
	c.URL, c.ProjectID, c.KeyID, c.Secret = "http://nimbus.test", project.String(), "nk_1", "ns_1"
	c.Logger = slog.New(slog.DiscardHandler)
	if c.FlushInterval == 0 {
		c.FlushEvents, c.FlushBytes, c.FlushInterval = 10_000, 10<<20, time.Hour
	}
	c.CompressAbove = -1
	c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		answer := fmt.Sprintf(`{"accepted":%d}`, bytes.Count(body, []byte(`{"name":`)))
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer))}, err
	})}
	x, err := nimbus.New(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := x.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return x
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
