// Package apptest boots the real program for a test and calls it with a client that checks every reply against the
// contract: each test of an operation is a contract test. It stands apart from nimbustest, which the slices' own tests
// import, because it imports every slice.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// contract is the OpenAPI document, loaded once.
var contract = sync.OnceValues(func() (routers.Router, error) {
	spec, err := LoadSpec()
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	if err := spec.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the contract is not valid: %w", err)
	}
	served := *spec // with the address at which a test serves it
	served.Servers = nil
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
	// RFC 3339 allows lower case; kin-openapi's own pattern does not.
	openapi3.DefineStringFormatValidator("date-time", openapi3.NewRegexpFormatValidator("(?i)"+openapi3.FormatOfStringDateTime))
	return gorillamux.NewRouter(&served)
})

// Seen counts, over all tests of the process, which operation answered with which status.
var Seen = &Coverage{counts: make(map[string]map[int]int)}

// Coverage is which documented answers were exercised.
type Coverage struct {
	mu     sync.Mutex
	counts map[string]map[int]int
}

// Add counts an answer that a test received without a Client.
func (c *Coverage) Add(operation string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[operation] == nil {
		c.counts[operation] = make(map[int]int)
	}
	c.counts[operation][status]++
}

// Count returns how often the operation answered with the status.
func (c *Coverage) Count(operation string, status int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[operation][status]
}

// checkedTransport checks every exchange against the contract: the reply must have a documented status and body, and
// a request that is accepted with a 2xx must be valid.
type checkedTransport struct {
	t    testing.TB
	base http.RoundTripper
}

func (c *checkedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	router, err := contract()
	if err != nil {
		return nil, err
	}
	var body []byte
	if req.Body != nil {
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	route, pathParams, err := router.FindRoute(req)
	if err != nil {
		c.t.Errorf("%s %s is not in the contract: %v", req.Method, req.URL.Path, err)
		return nil, err
	}
	res, err := c.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	id := route.Operation.OperationID
	in := requestInput(req, body, pathParams, route)
	if res.StatusCode == http.StatusSwitchingProtocols || res.Header.Get("Content-Type") == "text/event-stream" {
		// A stream does not end; its reader checks the frames with CheckSchema.
		Seen.Add(id, res.StatusCode)
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			c.t.Errorf("%s accepted a request that breaks the contract: %v", id, err)
		}
		return res, nil
	}
	reply, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if err := res.Body.Close(); err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(reply))
	Seen.Add(id, res.StatusCode)

	// A batch in which some events or operations are bad is accepted and breaks the contract: the exceptions.
	if res.StatusCode < 300 && id != "ingestEvents" && id != "changeProfiles" {
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			c.t.Errorf("%s accepted a request that breaks the contract: %v", id, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: res.StatusCode, Header: res.Header,
		Body: io.NopCloser(bytes.NewReader(reply)), Options: in.Options}
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		c.t.Errorf("%s answered %d with a reply that breaks the contract: %v\n%s", id, res.StatusCode, err, reply)
	}
	return res, nil
}

func requestInput(req *http.Request, body []byte, pathParams map[string]string, route *routers.Route) *openapi3filter.RequestValidationInput {
	clone := req.Clone(context.Background())
	clone.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) == 0 {
		clone.Body = http.NoBody
	}
	return &openapi3filter.RequestValidationInput{Request: clone, PathParams: pathParams, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			IncludeResponseStatus: true, MultiError: true}}
}

// CheckSchema fails the test unless the JSON is what the named schema of the contract says.
func CheckSchema(t testing.TB, name string, b []byte) {
	t.Helper()
	spec, err := LoadSpec()
	if err != nil {
		t.Fatalf("load the contract: %v", err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("not JSON: %v: %s", err, b)
	}
	if err := spec.Components.Schemas[name].Value.VisitJSON(v); err != nil {
		t.Errorf("not a %s: %v\n%s", name, err, b)
	}
}
