package app_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
)

// What storing costs, from the bytes of a request to its answer: ns/op are of one request. The secret is sent and nothing signed,
// so that every event of every request is new.
func BenchmarkIngest(b *testing.B) {
	a := apptest.Boot(b, "NIMBUS_LOG_LEVEL=error", "NIMBUS_RATE_LIMIT_ENABLED=false")
	x := a.Tenant(b)
	by := a.Client(b).With("X-API-Key", x.Secret)
	for _, size := range []int{1, 20, 1000} {
		b.Run(fmt.Sprint(size, " events"), func(b *testing.B) {
			batch := make([]apptest.Event, size)
			for k := range batch {
				batch[k] = apptest.Event{"name": fmt.Sprint("name ", k%20), "user_id": fmt.Sprint("user ", k%100),
					"props": map[string]any{"path": "/products/7", "price": 12.5}}
			}
			body := x.Batch(batch...)
			header := by.Request("POST", "/v1/events", body).Header
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/events", bytes.NewReader(body))
					r.Header = header.Clone()
					if a.API.ServeHTTP(w, r); w.Code != 200 {
						b.Error(w.Code, w.Body)
						return
					}
				}
			})
		})
	}
}
