package posthog

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events/compat"
)

// Dialect is the wire format of PostHog.
type Dialect struct{}

// Name is its x-dialect.
func (Dialect) Name() string { return "posthog" }

const (
	stored = `{"status":1}`
	v1     = "posthogEvents"
)

// Stub answers what is about anything but events: there are no flags, no surveys, no recordings.
func (Dialect) Stub(c *compat.Call) *compat.Answer {
	var a compat.Answer
	switch c.Operation {
	case "posthogConfig":
		a = compat.JSON(config(c))
	case "posthogConfigScript":
		token := string(compat.Quote(nil, c.Param("token")))
		a = compat.Answer{Status: http.StatusOK, Type: "text/javascript; charset=utf-8", Body: []byte(
			"(function(){window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};window._POSTHOG_REMOTE_CONFIG[" + token +
				"]={config:" + config(c) + ",siteApps:[]}})();")}
	case "posthogFlags":
		a = compat.JSON(`{"flags":{},"featureFlags":{},"featureFlagPayloads":{},"errorsWhileComputingFlags":false,"requestId":"` +
			uuid.NewString() + `","config":{"enable_collect_everything":true},"toolbarParams":{},"isAuthenticated":false,` +
			`"supportedCompression":["gzip","gzip-js"],"sessionRecording":false,"surveys":false,"siteApps":[]}`)
	case "posthogFlagDefinitions":
		a = compat.JSON(`{"flags":[],"group_type_mapping":{},"cohorts":{}}`)
	case "posthogSurveys":
		a = compat.JSON(`{"surveys":[]}`)
	case "posthogRecordings":
		a = compat.JSON(stored)
	default:
		return nil
	}
	return &a
}

// config does not speak of surveys: told that there are none, posthog-js asks for their script, which is not here.
func config(c *compat.Call) string {
	return `{"token":` + string(compat.Quote(nil, c.Param("token"))) + `,"supportedCompression":["gzip","gzip-js"],"hasFeatureFlags":false,` +
		`"captureDeadClicks":false,"capturePerformance":{"network_timing":false,"web_vitals":false,"web_vitals_allowed_metrics":null},` +
		`"autocapture_opt_out":false,"autocaptureExceptions":false,"analytics":{"endpoint":"/i/v0/e/"},"elementsChainAsString":true,` +
		`"sessionRecording":false,"heatmaps":false,"defaultIdentifiedOnly":true,"siteApps":[]}`
}

var errBody = errors.New("the body is neither a JSON object nor a list of events")

// Read reads one event, a list of events, or an object with a batch of them.
func (Dialect) Read(c *compat.Call) (*compat.Batch, error) {
	body := c.Body
	if form := compat.Form(body, "data", "compression", "api_key"); form != nil {
		body = compat.Data([]byte(form.Get("data")))
	} else {
		body = compat.Data(body)
	}
	body, ok := compat.Decodable(body)
	if !ok || !compat.IsObject(body) && !compat.IsArray(body) {
		return nil, errBody
	}
	h := c.Request.Header
	b := &compat.Batch{SDK: h.Get("PostHog-Sdk-Info")}
	if b.SDK == "" {
		b.SDK = c.Request.UserAgent()
	}
	attempt, _ := strconv.Atoi(h.Get("PostHog-Attempt"))
	retry, _ := strconv.Atoi(c.Request.URL.Query().Get("retry_count"))
	e := &envelope{now: c.Now, again: attempt > 1 || retry > 0, agent: compat.BrowserAgent(c.Request), v1: c.Operation == v1}
	if e.v1 {
		e.sdk = b.SDK
		if at, err := time.Parse(time.RFC3339Nano, h.Get("PostHog-Request-Timestamp")); err == nil {
			e.sentAt = at
		}
	}
	batch := body
	if compat.IsObject(body) {
		batch = e.read(b, body)
	}
	if key, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok && key != "" {
		b.Key = strings.TrimSpace(key)
	}
	if b.Key == "" {
		b.Key = c.Request.URL.Query().Get("token")
	}
	if batch == nil {
		b.Items = append(b.Items, e.item(body))
		return b, nil
	}
	for event := range compat.Elements(batch) {
		b.Items = append(b.Items, e.item(event))
	}
	return b, nil
}

// read reads what the events of a request share. It returns the list of them; nil when the object is one itself.
func (e *envelope) read(b *compat.Batch, body []byte) (batch []byte) {
	for name, v := range compat.Members(body) {
		switch string(name) {
		case "api_key", "token":
			if key := compat.Text(v); key != "" {
				b.Key = key
			}
		case "sent_at", "created_at":
			if at, ok := compat.Time(v); ok && !at.IsZero() && e.sentAt.IsZero() {
				e.sentAt = at
			}
		case "batch", "data":
			if compat.IsArray(v) {
				batch = v
			}
		}
	}
	return batch
}

// Again reads an event from the quarantine.
func (Dialect) Again(operation string, raw []byte) compat.Item {
	return (&envelope{v1: operation == v1}).item(raw)
}

// Archived reads an event of an export. Its time is corrected already. In files of columns the properties are JSON in a string.
func (Dialect) Archived(line []byte) compat.Item { return (&envelope{}).item(line) }

// Stored answers version 1 with a result for each event.
func (Dialect) Stored(c *compat.Call, b *compat.Batch) compat.Answer {
	if c.Operation != v1 {
		return compat.JSON(stored)
	}
	out := []byte(`{"results":{`)
	first := true
	for k := range b.Items {
		id := compat.Text(compat.Member(b.Items[k].Raw, "uuid"))
		if id == "" {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(compat.Quote(out, id), `:{"result":`...)
		if b.Items[k].Kept {
			out = compat.Quote(append(out, `"warning","details":`...), "kept in quarantine: "+b.Items[k].Detail)
		} else {
			out = append(out, `"ok"`...)
		}
		out = append(out, '}')
	}
	return compat.JSON(string(append(out, "}}"...)))
}

// Refused answers as PostHog does.
func (Dialect) Refused(c *compat.Call, why compat.Failure) compat.Answer {
	kind, code := "validation_error", "invalid_payload"
	switch why.Kind {
	case compat.BadKey:
		kind, code = "authentication_error", "invalid_api_key"
	case compat.TooLarge:
		code = "payload_too_large"
	case compat.Busy:
		kind, code = "server_error", "service_unavailable"
	default:
	}
	detail := string(compat.Quote(nil, why.Detail))
	a := compat.JSON(`{"type":"` + kind + `","code":"` + code + `","detail":` + detail + `,"attr":null}`)
	if c.Operation == v1 {
		a = compat.JSON(`{"error":"` + code + `","error_description":` + detail + `}`)
	}
	a.Status = why.Status()
	return a
}
