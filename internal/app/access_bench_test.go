package app_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/apptest"
)

// What it costs to find out who calls: one event that is not there, asked for with each kind of credentials that may
// read. Without any, the answer is 401 and PostgreSQL is not asked.
func BenchmarkCredentials(b *testing.B) {
	a := apptest.Boot(b, "NIMBUS_LOG_LEVEL=error", "NIMBUS_RATE_LIMIT_ENABLED=false")
	x := a.Tenant(b)
	path := "/v1/events/" + uuid.NewString()
	for _, bench := range []struct {
		name   string
		status int
		by     *http.Request
	}{
		{"none", 401, a.Client(b).Request("GET", path, nil)},
		{"secret", 404, a.Client(b).With("X-API-Key", x.Secret).Request("GET", path, nil)},
		{"access token", 404, x.Request("GET", path, nil)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
				r.Header = bench.by.Header.Clone()
				if a.API.ServeHTTP(w, r); w.Code != bench.status {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
