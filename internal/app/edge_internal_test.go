package app

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTheAdminListenerIsAskedByItsOwnNamesOnly(t *testing.T) {
	t.Parallel()
	h := ownHosts([]string{"api1", "nimbus.internal"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for host, want := range map[string]int{
		"localhost:9464": 200, "LOCALHOST": 200, "127.0.0.1:9464": 200, "[::1]:9464": 200, "10.2.3.4:9464": 200, "api1:9464": 200, "API1.": 200,
		"nimbus.internal": 200, "evil.example:9464": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:9464": 403, "": 403, "api2:9464": 403,
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		req.Host = host
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("Host %q: %d, want %d", host, rec.Code, want)
		}
	}
}
