package imports_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/events/imports"
	"github.com/bahagh/nimbus/test/apptest"
)

// BenchmarkImport is the speed of an import beside that of ingestion: each takes its turn on the same server, one beside the other, with as many
// requests of as many events under way. Ingestion's requests are ready before it begins, the files are read and mapped.
func BenchmarkImport(b *testing.B) {
	const size, batch, requests = 20_000, 1000, 4
	a := apptest.Boot(b, "NIMBUS_LOG_LEVEL=error")
	x := a.Tenant(b)
	lines := map[string]string{
		"native":    `{"name":"name %[1]d","ts":"%[2]s","user_id":"user %[3]d","idempotency_key":"%[4]s","props":{"path":"/products/7","price":12.5,"plan":"pro","currency":"EUR"}}`,
		"ndjson":    `{"name":"name %[1]d","ts":"%[2]s","user_id":"user %[3]d","idempotency_key":"%[4]s","props":{"path":"/products/7","price":12.5,"plan":"pro","currency":"EUR"}}`,
		"segment":   `{"type":"track","event":"name %[1]d","timestamp":"%[2]s","userId":"user %[3]d","messageId":"%[4]s","context":{"library":{"name":"analytics-node","version":"3.1"}},"properties":{"path":"/products/7","price":12.5,"plan":"pro","currency":"EUR"}}`,
		"mixpanel":  `{"event":"name %[1]d","properties":{"time":%[5]d,"distinct_id":"user %[3]d","$insert_id":"%[4]s","mp_lib":"node","path":"/products/7","price":12.5,"plan":"pro","currency":"EUR"}}`,
		"amplitude": `{"event_type":"name %[1]d","event_time":"%[2]s","user_id":"user %[3]d","$insert_id":"%[4]s","event_properties":{"path":"/products/7","price":12.5,"plan":"pro","currency":"EUR"}}`,
		"csv":       `name %[1]d,%[2]s,user %[3]d,%[4]s,/products/7,12.5,pro,EUR`,
	}
	at := time.Now().Add(-24 * time.Hour)
	text := func(format string, round int, of string) [][]byte {
		out := make([][]byte, size)
		for k := range out {
			ts := at.Add(time.Duration(k) * time.Millisecond)
			out[k] = fmt.Appendf(nil, lines[format], k%20, ts.UTC().Format(time.RFC3339Nano), k%1000, fmt.Sprintf("%s-%s-%d-%d", format, of, round, k), ts.UnixMilli())
		}
		return out
	}
	took, beside := make(map[string]time.Duration), make(map[string]time.Duration)
	for round := 0; b.Loop(); round++ {
		for format := range lines {
			if format == "native" {
				continue
			}
			bodies := make(chan []byte, size/batch)
			for all := text("native", round, format); len(all) > 0; all = all[batch:] {
				bodies <- fmt.Appendf(nil, `{"project_id":"%s","events":[%s]}`, x.ProjectID, bytes.Join(all[:batch], []byte(",")))
			}
			close(bodies)
			beside[format] += send(b, a.URL, x.Secret, requests, bodies)
			content := bytes.Join(text(format, round, ""), []byte("\n"))
			if format == "csv" {
				content = append([]byte("name,time,user_id,id,path,price,plan,currency\n"), content...)
			}
			file := filepath.Join(b.TempDir(), format)
			if err := os.WriteFile(file, content, 0o600); err != nil {
				b.Fatal(err)
			}
			took[format] += importOnce(b, file, size, imports.Options{Format: format, URL: a.URL, ProjectID: x.ProjectID.String(), Secret: x.Secret, Requests: requests})
		}
	}
	var native time.Duration
	for format := range took {
		native += beside[format]
		b.ReportMetric(float64(beside[format])/float64(took[format]), format+"-ratio/op")
	}
	b.ReportMetric(size*float64(b.N*len(took))/native.Seconds(), "native-events/s")
}

func importOnce(b *testing.B, file string, events int, o imports.Options) time.Duration {
	began := time.Now()
	im, err := imports.New(o)
	if err != nil {
		b.Fatal(err)
	}
	report, err := im.Import(b.Context(), file)
	if err != nil || report.Events != events || report.Duplicates != 0 {
		b.Fatal(report, err)
	}
	if err := im.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// send sends bodies over so many connections.
func send(b *testing.B, url, secret string, connections int, bodies <-chan []byte) time.Duration {
	var group sync.WaitGroup
	began := time.Now()
	for range connections {
		group.Go(func() {
			for body := range bodies {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url+"/v1/events", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("X-Api-Key", secret)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				answer, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					b.Errorf("%d %s", res.StatusCode, answer)
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}
