package app_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

// BenchmarkCompat is what batches of 100 events cost in each vendor's wire format, beside the same events in Nimbus' own:
// all take turns, so that they have the same machine. ratio/op is native time by the dialect's: 0.5 is half of the speed.
func BenchmarkCompat(b *testing.B) {
	const size = 100
	a := apptest.Boot(b, "NIMBUS_LOG_LEVEL=error", "NIMBUS_RATE_LIMIT_ENABLED=false")
	x := a.Tenant(b)
	var key struct{ Key string }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/write-keys", map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&key)
	list := func(format string) string {
		events := make([]string, size)
		for k := range events {
			events[k] = strings.NewReplacer("NAME", fmt.Sprint("name ", k%20), "USER", fmt.Sprint("user ", k), "ID", fmt.Sprint("ROUND-", k), "KEY", key.Key,
				"TIME", time.Now().UTC().Format(time.RFC3339Nano)).Replace(format)
		}
		return "[" + strings.Join(events, ",") + "]"
	}
	const props = `{"path":"/products/7","price":12.5,"plan":"pro","currency":"EUR"}`
	formats := []struct{ name, path, body string }{
		{"native", "/v1/events", `{"project_id":"` + x.ProjectID.String() + `","events":` + list(`{"name":"NAME","ts":"TIME","user_id":"USER","idempotency_key":"ID","props":`+props+`}`) + `}`},
		{"segment", "/v1/batch", `{"writeKey":"` + key.Key + `","batch":` + list(`{"type":"track","event":"NAME","timestamp":"TIME","userId":"USER","messageId":"ID","context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}},"integrations":{},"properties":`+props+`}`) + `}`},
		{"posthog", "/batch/", `{"api_key":"` + key.Key + `","batch":` + list(`{"event":"NAME","timestamp":"TIME","distinct_id":"USER","uuid":"ID","properties":{"$lib":"posthog-node","$lib_version":"5.70.0",`+props[1:]+`}`) + `}`},
		{"mixpanel", "/track", list(`{"event":"NAME","properties":{"token":"KEY","distinct_id":"USER","$insert_id":"ID","time":` + fmt.Sprint(time.Now().UnixMilli()) + `,"mp_lib":"node",` + props[1:] + `}`)},
		{"umami", "/api/batch", list(`{"type":"event","payload":{"website":"KEY","name":"NAME","hostname":"example.com","url":"/products/7","id":"USER","data":` + props + `}}`)},
	}
	round := 0
	send := func(k int) time.Duration {
		round++
		body := bytes.ReplaceAll([]byte(formats[k].body), []byte("ROUND"), fmt.Appendf(nil, "%08d", round))
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", formats[k].path, bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Write-Key", key.Key)
		began := time.Now()
		if a.API.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(formats[k].name, w.Code, w.Body)
		}
		return time.Since(began)
	}
	times := make([]time.Duration, len(formats))
	for b.Loop() {
		for k := range formats {
			times[k] += send(k)
		}
	}
	for k := range formats[1:] {
		b.ReportMetric(float64(times[0])/float64(times[k+1]), formats[k+1].name+"-ratio/op")
	}
	b.ReportMetric(float64(times[0])/float64(b.N)/size, "native-ns/event")
}
