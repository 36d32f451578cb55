package mixpanel

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/bahagh/nimbus/internal/events/compat"
)

// Dialect is the wire format of Mixpanel.
type Dialect struct{}

// Name is its x-dialect.
func (Dialect) Name() string { return "mixpanel" }

// Stub is nothing: all of its operations store.
func (Dialect) Stub(*compat.Call) *compat.Answer { return nil }

// request is a request as it asks to be answered.
type request struct {
	data     []byte
	form     url.Values
	query    url.Values
	isImport bool
	plain    bool // the body is JSON itself
}

// param is a parameter of the form, else of the query.
func (r *request) param(name string) string {
	if v := r.form.Get(name); v != "" {
		return v
	}
	return r.query.Get(name)
}

func (r *request) on(name string) bool { v := r.param(name); return v == "1" || v == "true" }

func requestOf(c *compat.Call) *request {
	r := &request{query: c.Request.URL.Query(), isImport: strings.HasPrefix(c.Operation, "mixpanelImport")}
	switch {
	case c.Request.Method == http.MethodGet:
		r.data = []byte(r.query.Get("data"))
	default:
		if r.form = compat.Form(c.Body, "data", "verbose", "ip", "api_key", "strict", "token"); r.form != nil {
			r.data = []byte(r.form.Get("data"))
		} else {
			r.data, r.plain = c.Body, true
		}
	}
	return r
}

var errData = errors.New("data is neither JSON nor its base64")

// Read reads one item or a list of them.
func (Dialect) Read(c *compat.Call) (*compat.Batch, error) {
	r := requestOf(c)
	data, ok := compat.Decodable(compat.Data(r.data))
	if !ok || !compat.IsObject(data) && !compat.IsArray(data) {
		if !r.isImport {
			return nil, errData
		}
		if data, ok = lines(data); !ok {
			return nil, errData
		}
	}
	b := &compat.Batch{SDK: c.Request.UserAgent(), Key: r.param("token")}
	if r.isImport {
		b.Secret, b.Key = credentials(c.Request, r, b.Key)
	}
	e := &envelope{agent: compat.BrowserAgent(c.Request), trusted: b.Secret != ""}
	read := e.reader(c.Operation)
	if compat.IsObject(data) {
		b.Items = append(b.Items, read(data))
		return b, nil
	}
	for item := range compat.Elements(data) {
		b.Items = append(b.Items, read(item))
	}
	return b, nil
}

// lines reads NDJSON, which imports may be, as a list.
func lines(data []byte) ([]byte, bool) {
	text := strings.TrimSpace(string(data))
	if !strings.HasPrefix(text, "{") {
		return nil, false
	}
	return compat.Decodable([]byte("[" + strings.Join(strings.Split(text, "\n"), ",") + "]"))
}

// credentials are the secret of an import, or else its token: Basic authorization has either as its user, and so has api_key.
func credentials(r *http.Request, asked *request, token string) (secret, key string) {
	user, password, ok := r.BasicAuth()
	if !ok {
		if encoded, found := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); found {
			if text, err := base64.StdEncoding.DecodeString(encoded); err == nil {
				user = string(text)
			}
		}
	}
	for _, s := range []string{user, password, asked.param("api_key")} {
		switch {
		case strings.HasPrefix(s, "ns_"):
			return s, ""
		case strings.HasPrefix(s, "nw_"):
			return "", s
		}
	}
	if s := user + asked.param("api_key"); s != "" {
		return s, "" // something that is no key of ours, and is refused as what it is
	}
	return "", token
}

// Again reads an item from the quarantine.
func (Dialect) Again(operation string, raw []byte) compat.Item {
	return (&envelope{trusted: strings.HasPrefix(operation, "mixpanelImport")}).reader(operation)(raw)
}

// Archived reads an event of an export, which only a secret could ask for.
func (Dialect) Archived(line []byte) compat.Item { return (&envelope{trusted: true}).event(line) }

const (
	pixel = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)

// callback is what may be the name of a function.
var callback = regexp.MustCompile(`^[A-Za-z_$][\w$.]{0,99}$`)

// Stored answers as the request asks: mixpanel-node needs 1 and nothing else, mixpanel-py a status, mixpanel-go a code.
func (Dialect) Stored(c *compat.Call, b *compat.Batch) compat.Answer {
	r := requestOf(c)
	switch {
	case r.isImport && r.plain:
		return compat.JSON(`{"code":200,"num_records_imported":` + strconv.Itoa(len(b.Items)) + `,"status":"OK"}`)
	case r.on("img"):
		return compat.Answer{Status: http.StatusOK, Type: "image/gif", Body: []byte(pixel)}
	case callback.MatchString(r.query.Get("callback")):
		return compat.Answer{Status: http.StatusOK, Type: "text/javascript; charset=utf-8", Body: []byte(r.query.Get("callback") + "(1);")}
	case r.on("verbose"):
		return compat.JSON(`{"error":null,"status":1}`)
	}
	return compat.Answer{Status: http.StatusOK, Type: "text/plain; charset=utf-8", Body: []byte("1")}
}

// Refused answers as the request asks. Errors are JSON wherever an SDK reads them as such.
func (Dialect) Refused(c *compat.Call, why compat.Failure) compat.Answer {
	r := requestOf(c)
	status := why.Status()
	detail := why.Detail
	if why.Kind == compat.BadKey {
		detail = "Invalid credentials"
	}
	text := string(compat.Quote(nil, detail))
	var a compat.Answer
	switch {
	case r.isImport:
		a = compat.JSON(`{"code":` + strconv.Itoa(status) + `,"error":` + text + `,"status":0,"num_records_imported":0,"failed_records":[]}`)
	case r.on("verbose"):
		a = compat.JSON(`{"error":` + text + `,"status":0}`)
	default:
		a = compat.Answer{Type: "text/plain; charset=utf-8", Body: []byte("0")}
	}
	a.Status = status
	return a
}
