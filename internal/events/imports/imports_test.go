package imports_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/bahagh/nimbus/internal/events/imports"
	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// world is a Nimbus with a project, and a directory with a file to be imported.
type world struct {
	*apptest.Tenant
	url  string
	file string
}

func newWorld(t *testing.T, name string, content []byte) *world {
	t.Helper()
	a := apptest.Boot(t)
	w := &world{Tenant: a.Tenant(t), url: a.URL, file: filepath.Join(t.TempDir(), name)}
	w.write(t, content)
	return w
}

func (w *world) write(t *testing.T, content []byte) {
	t.Helper()
	if err := os.WriteFile(w.file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) options(format string) imports.Options {
	return imports.Options{Format: format, URL: w.url, ProjectID: w.ProjectID.String(), KeyID: w.KeyID, Secret: w.Secret}
}

func run(t *testing.T, o imports.Options, from string) (imports.Report, error) {
	t.Helper()
	im, err := imports.New(o)
	if err != nil {
		t.Fatal(err)
	}
	report, err := im.Import(t.Context(), from)
	closing, cancel := context.WithCancel(t.Context())
	if err != nil {
		cancel()
	}
	defer cancel()
	if closed := im.Close(closing); closed != nil && err == nil {
		t.Error(closed)
	}
	return report, err
}

// refusals are the reasons, with their counts and the lines of the first.
func refusals(r *imports.Report) string {
	var out []string
	for _, name := range r.Reasons() {
		out = append(out, fmt.Sprintf("%s %d@%d", name, r.Refused[name].Count, r.Refused[name].Line))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// stored are the events, as "time name user/anonymous props".
func (w *world) stored() []string {
	var page struct {
		Items []struct {
			TS          time.Time
			Name        string
			UserID      string `json:"user_id"`
			AnonymousID string `json:"anonymous_id"`
			Props       any
		}
	}
	w.Do("GET", "/v1/events?limit=1000&order=asc&project_id="+w.ProjectID.String(), nil).Want(200).JSON(&page)
	var out []string
	for _, e := range page.Items {
		props := strings.TrimPrefix(fmt.Sprint(e.Props), "map")
		out = append(out, fmt.Sprintf("%s %s %s/%s %s", e.TS.UTC().Format("15:04:05.999"), e.Name, e.UserID, e.AnonymousID, props))
	}
	return out
}

func (w *world) person(id string) string {
	var p struct{ Props map[string]any }
	w.Do("GET", "/v1/people/"+id+"?project_id="+w.ProjectID.String(), nil).Want(200).JSON(&p)
	return fmt.Sprint(p.Props)
}

func TestEachFormatIsMappedAsItsSDKAndASecondRunStoresNothing(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const device = "0190a1b2-0000-7000-8000-0000000000d1"
	for _, c := range []struct {
		format, file string
		change       func(*imports.Options)
		want         []string
		operations   int
		refused      string
		profile      string // of u1
	}{
		{"segment", "segment.ndjson", nil, []string{
			// received two hours after it was sent, by the sender's clock: that clock is wrong
			"10:00:00 $pageview /a1 [name:Home url:https://shop.example/]",
			"10:00:00 Order Completed u1/0190a1b2-0000-7000-8000-0000000000aa [$lib:analytics.js $lib_version:2.1 page:/cart total:12.5 url:https://shop.example/cart?utm_source=mail utm_source:mail]",
		}, 3, "malformed_json 1@6, name_missing 1@5", "map[group:[acme] plan:pro]"},
		{"mixpanel", "mixpanel.ndjson", nil, []string{
			"10:00:00 Signed up u1/d1 [$current_url:https://shop.example/join?utm_source=ad $device_id:d1 $lib:web mp_lib:web mp_processing_time_ms:1.7092873e+12 page:/join url:https://shop.example/join?utm_source=ad utm_source:ad]",
			"10:01:00.123 Viewed /d2 []",
		}, 1, "time_missing 1@4, ts_maximum 1@5", "map[]"},
		{"mixpanel", "mixpanel.ndjson", func(o *imports.Options) { o.Zone = berlin }, []string{
			"09:00:00 Signed up u1/d1 [$current_url:https://shop.example/join?utm_source=ad $device_id:d1 $lib:web mp_lib:web mp_processing_time_ms:1.7092873e+12 page:/join url:https://shop.example/join?utm_source=ad utm_source:ad]",
			"09:01:00.123 Viewed /d2 []",
		}, 1, "time_missing 1@4, ts_maximum 1@5", "map[]"},
		{"posthog", "posthog.ndjson", nil, []string{
			"10:00:00 $pageview /" + device + " [$current_url:https://shop.example/a $device_id:" + device + " $lib:web page:/a url:https://shop.example/a]",
			"10:00:02 paid u1/ [$groups:map[company:acme] amount:5]",
		}, 3, "id_missing 1@4", "map[company:[acme] email:ada@example.com]"},
		{"posthog", "posthog.csv", nil, []string{
			"10:00:00 $pageview /" + device + " [$current_url:https://shop.example/a $device_id:" + device + " $lib:web page:/a url:https://shop.example/a]",
			"10:00:02 paid u1/ [amount:5]",
		}, 0, "", "map[]"},
		{"amplitude", "amplitude.ndjson", nil, []string{
			"10:00:00.123 Watched u1/d1 [$country:Germany $lib:amplitude-ts $lib_version:2.3.0 $locale:German $os:Chrome $platform:Web minutes:3 session_id:1709287200000]",
			"10:01:00 Watched u1/d1 [minutes:4]",
			"10:02:00 Watched u1/d1 [minutes:5]",
		}, 5, "id_missing 1@6", "map[company:[acme] plan:free]"}, // of the three equal sets of plan:pro two
		{"csv", "table.csv", func(o *imports.Options) {
			o.Zone, o.Columns = berlin, map[string]string{"time": "when", "name": "what", "user": "who", "id": "order_no"}
		}, []string{
			"10:00:00 bought u1/ [amount:12.5 note:two\nlines tags:[a b] vip:true zip:00712]",
			"10:00:00 bought u2/ [amount:7 vip:false zip:10115]",
			"10:00:00 bought u3/ []",
		}, 0, "malformed_row 1@7, timestamp 1@6", "map[]"},
		{"ndjson", "native.ndjson", nil, []string{
			"10:00:00 bought u1/ [amount:5]", "10:00:01 read /a1 []", "10:00:03 same / []", "10:00:03 same / []",
			`10:00:04 deep u1/ [a:map[a:map[a:map[a:map[a:map[a:map[a:map[a:{"a":1}]]]]]]]]`,
		}, 1, "op_enum 1@4, type 1@9", "map[plan:pro]"},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.file, fixture(t, c.file))
			o := w.options(c.format)
			if c.change != nil {
				c.change(&o)
			}
			report, err := run(t, o, w.file)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(c.want)
			got := w.stored()
			slices.Sort(got)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("stored are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if report.Events != len(c.want) || report.Operations != c.operations || refusals(&report) != c.refused {
				t.Errorf("%+v: %s, want %d operations and %s", report, refusals(&report), c.operations, c.refused)
			}
			if got := w.person("u1"); c.profile != "map[]" && got != c.profile {
				t.Errorf("the profile of u1 is %s, want %s", got, c.profile)
			}
			again, err := run(t, o, w.file) // the state says that there is nothing to do
			if err != nil || again.Events != report.Events || again.Duplicates != 0 || refusals(&again) != c.refused {
				t.Errorf("a second run: %+v, %v", again, err)
			}
			o.Again = true // and without the state everything is there
			again, err = run(t, o, w.file)
			if err != nil || again.Duplicates != report.Events+report.Operations || len(w.stored()) != len(c.want) {
				t.Errorf("from the beginning: %+v, %v; %d stored", again, err, len(w.stored()))
			}
		})
	}
}

// An event and what it says of the person have one key. Each is counted as what it is when the server refuses both.
func TestWhatTheServerRefusesIsTakenOutOfItsOwnCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "events.json", []byte(
		`{"event_type":"Far ahead","event_time":"3000-01-01 00:00:00","user_id":"u1","$insert_id":"far-1","user_properties":{"plan":"pro"}}
{"event_type":"Watched","event_time":"2024-03-01 10:00:00","user_id":"u1","$insert_id":"now-1","user_properties":{"plan":"free"}}
`))
	r, err := run(t, w.options("amplitude"), w.file)
	if err != nil || r.Records != 2 || r.Events != 1 || r.Operations != 1 || r.RefusedRecords() != 1 {
		t.Errorf("%d lines, %d events, %d operations, %d refused: %v; want 2, 1, 1, 1", r.Records, r.Events, r.Operations, r.RefusedRecords(), err)
	}
}

func TestWhatTheSDKSentIsTheSameEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "segment.ndjson", fixture(t, "segment.ndjson"))
	var key struct{ Key string }
	w.Do("POST", "/v1/projects/"+w.ProjectID.String()+"/write-keys", map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&key)
	first, _, _ := bytes.Cut(fixture(t, "segment.ndjson"), []byte("\n"))
	body := `{"writeKey":"` + key.Key + `","batch":[` + string(first) + `]}`
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/batch", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Retry-Count", "1") // so that what lies between sending it then and now is no wrong clock
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	defer res.Body.Close()
	report, err := run(t, w.options("segment"), w.file)
	if err != nil || report.Duplicates != 1 || w.Count() != 2 {
		t.Errorf("%+v, %v: %d events", report, err, w.Count())
	}
}

// compressed are the ways in which an export comes.
func compressed(t *testing.T, plain []byte) map[string][]byte {
	t.Helper()
	var gz, zst, archive bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	a := zip.NewWriter(&archive)
	half := bytes.Index(plain, []byte("\n")) + 1
	for k, piece := range [][]byte{plain[:half], plain[half:]} {
		member, err := a.Create(fmt.Sprintf("12345/12345_2024-03-01_10#%d.json.gz", k))
		if err != nil {
			t.Fatal(err)
		}
		inner := gzip.NewWriter(member)
		_, werr := inner.Write(piece)
		if err := errors.Join(werr, inner.Close()); err != nil {
			t.Fatal(err)
		}
	}
	_, gerr := g.Write(plain)
	_, zerr := z.Write(plain)
	if err := errors.Join(gerr, zerr, g.Close(), z.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"export": plain, "export.gz": gz.Bytes(), "export.zst": zst.Bytes(), "export.zip": archive.Bytes()}
}

func TestFilesAndURLsAreReadWithoutTheirCompression(t *testing.T) {
	t.Parallel()
	files := compressed(t, fixture(t, "amplitude.ndjson"))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "key" || password != "secret" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = rw.Write(files[strings.TrimPrefix(r.URL.Path, "/")])
	}))
	defer server.Close()
	w := newWorld(t, "export", files["export"])
	stored := 0
	for _, name := range []string{"export", "export.gz", "export.zst", "export.zip"} {
		w.file = filepath.Join(t.TempDir(), name)
		w.write(t, files[name])
		o := w.options("amplitude")
		report, err := run(t, o, w.file)
		if err != nil || report.Events != 3 || report.Duplicates != stored || report.RefusedRecords() != 1 {
			t.Errorf("%s: %+v, %v; want %d that were there", name, report, err, stored)
		}
		stored = report.Events + report.Operations
		o.StateDir = t.TempDir()
		report, err = run(t, o, strings.Replace(server.URL, "http://", "http://key:secret@", 1)+"/"+name)
		if err != nil || report.Events != 3 || report.Duplicates != stored {
			t.Errorf("the URL of %s: %+v, %v", name, report, err)
		}
		if _, err := os.Stat(filepath.Join(o.StateDir, name+".nimbus-import")); err != nil {
			t.Error(err)
		}
	}
	_, err := run(t, w.options("amplitude"), server.URL+"/export")
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a URL that refuses: %v", err)
	}
}

func many(n int) []byte {
	var b bytes.Buffer
	for k := range n {
		if k%1000 == 10 {
			b.WriteString("no JSON\n")
			continue
		}
		fmt.Fprintf(&b, `{"name":"e","ts":"2024-03-01T10:00:00Z","user_id":"u%d","props":{"k":%d}}`+"\n", k%50, k)
	}
	return b.Bytes()
}

// A server that goes away in the middle ends the run there; the next one goes on, and the file of refused lines has each once.
func TestARunThatEndsInTheMiddleIsGoneOnWith(t *testing.T) {
	t.Parallel()
	const lines, bad = 12_000, 12
	w := newWorld(t, "events.ndjson", many(lines))
	refused := filepath.Join(t.TempDir(), "refused.ndjson")
	ctx, cancel := context.WithCancel(t.Context())
	var answers atomic.Int32
	o := w.options("ndjson")
	o.Refused, o.Requests = refused, 2
	o.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if answers.Add(1) == 5 {
			cancel()
		}
		return http.DefaultTransport.RoundTrip(r)
	})}
	im, err := imports.New(o)
	if err != nil {
		t.Fatal(err)
	}
	part, err := im.Import(ctx, w.file)
	_ = im.Close(ctx) // what waits is given up
	if !errors.Is(err, context.Canceled) || part.Records == 0 || part.Records >= lines {
		t.Fatalf("a run that was stopped: %+v, %v", part, err)
	}
	o.HTTPClient = nil
	report, err := run(t, o, w.file)
	if err != nil || report.Records != lines || report.Events != lines-bad || report.RefusedRecords() != bad || w.Count() != lines-bad {
		t.Errorf("after it: %+v, %v; %d stored", report, err, w.Count())
	}
	if first := report.Refused["malformed_json"]; first.Line != 11 || first.Part != "events.ndjson" {
		t.Errorf("the first bad line: %+v", first)
	}
	b, err := os.ReadFile(refused)
	if err != nil || string(b) != strings.Repeat("no JSON\n", bad) {
		t.Errorf("refused are %q, %v", b, err)
	}
	// A file that has grown is gone on with, too.
	w.write(t, append(many(lines), []byte(`{"name":"late","ts":"2024-03-02T10:00:00Z"}`)...))
	report, err = run(t, o, w.file)
	if err != nil || report.Records != lines+1 || report.Duplicates != 0 || w.Count() != lines-bad+1 {
		t.Errorf("a file that has grown: %+v, %v", report, err)
	}
	// Another file of the same name is read from its beginning.
	w.write(t, []byte(`{"name":"another","ts":"2024-03-02T10:00:00Z"}`))
	if report, err = run(t, o, w.file); err != nil || report.Records != 1 || w.Count() != lines-bad+2 {
		t.Errorf("another file: %+v, %v", report, err)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestABusyServerIsWaitedForAndARefusedKeyIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "events.ndjson", many(3_000))
	var once sync.Once
	o := w.options("ndjson")
	busy := false
	o.Requests = 1
	o.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (res *http.Response, err error) {
		once.Do(func() {
			busy = true
			rec := httptest.NewRecorder()
			rec.Header().Set("Retry-After", "1")
			rec.WriteHeader(http.StatusServiceUnavailable)
			res = rec.Result()
		})
		if res != nil {
			return res, nil
		}
		return http.DefaultTransport.RoundTrip(r)
	})}
	if report, err := run(t, o, w.file); err != nil || !busy || report.Events != 2_997 || w.Count() != 2_997 {
		t.Errorf("a busy server: %+v, %v", report, err)
	}
	o.Secret, o.Again = "ns_"+strings.Repeat("x", 43), true
	report, err := run(t, o, w.file)
	var refused *nimbus.APIError
	if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized || report.Records != 0 {
		t.Errorf("a key that does not work: %+v, %v", report, err)
	}
}

func TestRefusedRowsAreATableAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "table.csv", fixture(t, "table.csv"))
	o := w.options("csv")
	o.Columns = map[string]string{"time": "when", "name": "=fixed", "user": "who", "id": "order_no", "group": "vip"}
	o.Refused = filepath.Join(t.TempDir(), "refused.csv")
	report, err := run(t, o, w.file)
	if err != nil || report.Events != 3 || report.Operations != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	b, err := os.ReadFile(o.Refused)
	want := "when,what,who,order_no,zip,amount,vip,tags,note\nyesterday,bought,u4,o-4,,,,,\n2024-03-01 11:00:00,bought,u5\n"
	if err != nil || string(b) != want {
		t.Errorf("refused are %q, %v", b, err)
	}
	for _, bad := range []map[string]string{{"when": "x"}, {"time": ""}} {
		o.Columns = bad
		if _, err := imports.New(o); err == nil {
			t.Errorf("columns %v are taken", bad)
		}
	}
	o.Format = "segment"
	if _, err := imports.New(o); err == nil {
		t.Error("segment takes columns")
	}
	o.Format, o.Columns = "matomo", nil
	if _, err := imports.New(o); err == nil || !strings.Contains(err.Error(), "segment, mixpanel") {
		t.Errorf("a format that there is not: %v", err)
	}
}
