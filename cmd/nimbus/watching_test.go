package main_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"gopkg.in/yaml.v3"
)

// documentedMetric is a row of docs/metrics.md, which a test in internal/app holds to what is served.
type documentedMetric struct {
	labels []string
	alert  bool // someone is told about it
}

// knownMetrics are those of docs/metrics.md, with the series of histograms, and those of every Go program.
func knownMetrics(t *testing.T) map[string]documentedMetric {
	t.Helper()
	out := map[string]documentedMetric{"up": {labels: []string{"job"}}}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\w+) \\|([^|]*)\\|[^|]+\\|([^|]*)\\|").FindAllStringSubmatch(file(t, "docs", "metrics.md"), -1) {
		d := documentedMetric{alert: strings.TrimSpace(m[4]) != ""}
		for _, l := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(m[3], -1) {
			d.labels = append(d.labels, l[1])
		}
		out[m[1]] = d
		if m[2] == "histogram" {
			out[m[1]+"_sum"], out[m[1]+"_count"] = documentedMetric{labels: d.labels}, documentedMetric{labels: d.labels}
			out[m[1]+"_bucket"] = documentedMetric{labels: append([]string{"le"}, d.labels...)}
		}
	}
	if len(out) < 40 {
		t.Fatalf("docs/metrics.md has %d names", len(out))
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		out[f.GetName()] = documentedMetric{}
	}
	return out
}

var (
	metricInQuery = regexp.MustCompile(`\b((?:http|nimbus|postgresql|process|go)_[a-z_]+|up)\b(?:\{([^}]*)\})?`)
	labelInQuery  = regexp.MustCompile(`([a-z]+)(?:=~|!~|!=|=)`)
	groupInQuery  = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// checkQuery holds a question to Prometheus to the names and labels that are served, and returns the names.
func checkQuery(t *testing.T, known map[string]documentedMetric, query string) (names []string) {
	t.Helper()
	labels := []string{"instance", "job"} // of Prometheus itself
	for _, m := range metricInQuery.FindAllStringSubmatch(query, -1) {
		d, ok := known[m[1]]
		if !ok {
			t.Errorf("nothing serves %s: %s", m[1], query)
		}
		for _, l := range labelInQuery.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "instance" && !slices.Contains(d.labels, l[1]) {
				t.Errorf("%s has no label %s: %s", m[1], l[1], query)
			}
		}
		names, labels = append(names, m[1]), append(labels, d.labels...)
	}
	if len(names) == 0 {
		t.Errorf("no metric of ours: %s", query)
	}
	for _, by := range groupInQuery.FindAllStringSubmatch(query, -1) {
		for l := range strings.SplitSeq(by[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(l)) {
				t.Errorf("no metric has the label %s: %s", l, query)
			}
		}
	}
	return names
}

// Each metric whose page says when to alert has an alert, and each alert has a metric that is served, and words.
func TestAlertsAreAboutMetricsThatAreServed(t *testing.T) {
	t.Parallel()
	known := knownMetrics(t)
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(file(t, "deploy", "alerts.yml")), &rules); err != nil {
		t.Fatal(err)
	}
	alerted := make(map[string]bool)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			for _, name := range checkQuery(t, known, r.Expr) {
				alerted[strings.TrimSuffix(name, "_bucket")] = true
			}
			if s := r.Labels["severity"]; s != "page" && s != "ticket" || r.Annotations["summary"] == "" || r.Annotations["action"] == "" {
				t.Errorf("%s does not say how urgent it is, what is wrong and what to do", r.Alert)
			}
		}
	}
	for name, d := range known {
		if d.alert && !alerted[name] {
			t.Errorf("docs/metrics.md says when to alert on %s, and nothing does", name)
		}
	}
	if p := file(t, "deploy", "prometheus.yml"); !strings.Contains(p, "/etc/prometheus/alerts.yml") ||
		!slices.Contains(readCompose(t).Services["prometheus"].Volumes, "./deploy/alerts.yml:/etc/prometheus/alerts.yml:ro") {
		t.Error("the Prometheus of docker-compose.yml does not read the alerts")
	}
}

func TestTheDashboardShowsMetricsThatAreServed(t *testing.T) {
	t.Parallel()
	known := knownMetrics(t)
	type source struct{ UID string }
	var d struct {
		UID        string
		Templating struct {
			List []struct{ Query struct{ Query string } }
		}
		Panels []struct {
			ID         int
			Type       string
			Title      string
			Datasource source
			GridPos    struct{ X, W int }
			Targets    []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(file(t, "deploy", "grafana", "nimbus.json")), &d); err != nil {
		t.Fatal(err)
	}
	provisioned := file(t, "deploy", "grafana", "provisioning", "datasources", "prometheus.yml")
	shown, ids := make(map[string]bool), make(map[int]bool)
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.Title == "" {
			t.Errorf("panel %d %q", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if !strings.Contains(provisioned, "uid: "+p.Datasource.UID+"\n") || len(p.Targets) == 0 {
			t.Errorf("%q asks %q, or nothing", p.Title, p.Datasource.UID)
		}
		for _, target := range p.Targets {
			for _, name := range checkQuery(t, known, target.Expr) {
				shown[name] = true
			}
		}
	}
	for _, v := range d.Templating.List {
		checkQuery(t, known, v.Query.Query)
	}
	for _, name := range []string{"nimbus_events_ingested_total", "nimbus_events_rejected_total", "nimbus_flush_duration_seconds_bucket", "nimbus_flush_rows_sum",
		"nimbus_ingest_queue_rows", "nimbus_ingest_oldest_seconds", "http_requests_total", "http_request_duration_seconds_bucket",
		"postgresql_connections_active", "nimbus_live_subscribers", "nimbus_redis_up", "nimbus_job_age_seconds", "process_resident_memory_bytes"} {
		if !shown[name] {
			t.Errorf("%s is not shown; shown are %q", name, slices.Sorted(maps.Keys(shown)))
		}
	}
	grafana := readCompose(t).Services["grafana"]
	path := regexp.MustCompile(`path: (\S+)`).FindStringSubmatch(file(t, "deploy", "grafana", "provisioning", "dashboards", "nimbus.yml"))[1]
	if !slices.Contains(grafana.Volumes, "./deploy/grafana/nimbus.json:"+path+"/nimbus.json:ro") || !strings.HasPrefix(grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"], path) {
		t.Error("Grafana does not find the dashboard")
	}
}
