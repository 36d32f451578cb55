package contract

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Requirement is one AND-set of security schemes with the scopes each must have.
type Requirement map[string][]string

// ProjectOfCaller is the Project of an operation that names no project and covers all those that the caller may read.
const ProjectOfCaller = "caller"

// The x-roles of operations that ask for no membership of a project.
const (
	RoleAccount  = "account"  // about the caller's own account
	RoleOperator = "operator" // about the whole instance, by an account that operates it
)

// The size of an operation's body (x-body). Small is for bodies that may be sent without credentials. Bulk has memory
// of its own, and its time is bounded by the connection and not by the request.
const (
	BodySmall = "small"
	BodyBulk  = "bulk"
)

// The kind of an answer (x-answer). A stream takes over the connection; an export lasts as long as its reader reads.
const (
	AnswerStream = "stream"
	AnswerExport = "export"
)

// The cost of an operation (x-cost). A question may read much, so a bounded number runs at once; ingestion has a rate
// limit of its own.
const (
	CostQuestion  = "question"
	CostIngestion = "ingestion"
)

// ProjectNamer is a request body that names the project it is about.
type ProjectNamer interface{ NamedProject() uuid.UUID }

// Operation is one row of the operation table generated from the contract.
type Operation struct {
	ID           string
	Method       string
	Path         string // as in the contract: /v1/projects/{project_id}
	Route        string // as the router wants it: /v1/projects/:project_id
	Scope        string // x-scope: what a key needs
	Role         string // x-role: what an account needs in the project; or RoleAccount, or RoleOperator
	Project      string // where the project is named: InPath, InQuery, InBody, or ProjectOfCaller; empty where none is concerned
	Deleted      bool   // x-project: deleted: it is about projects that are deleted
	Self         string // x-self: the path parameter that, being the caller's own account, makes every role enough
	Sensitive    bool   // x-sensitive
	Public       bool   // security: []
	Tool         bool   // x-tool: /mcp offers it to assistants
	OpenQuery    bool   // x-open-query: the query may have parameters that the contract does not declare
	BodySize     string // x-body: BodySmall, BodyBulk, or empty for the default size
	Answer       string // x-answer: AnswerStream, AnswerExport, or empty for one that is complete before it is sent
	Cost         string // x-cost: CostQuestion, CostIngestion, or empty for an operation of milliseconds
	Security     []Requirement
	Params       []Param
	Statuses     []int // documented statuses, sorted
	Body         bool
	BodyRequired bool
}

// VendorOperation is one row of the table of operations in the wire format of another vendor.
type VendorOperation struct {
	ID       string
	Dialect  string // x-dialect: whose format it is
	Method   string
	Path     string   // as in the contract
	Routes   []string // its path and its x-aliases, as the router wants them
	Statuses []int    // documented statuses, sorted
}

// sessions are the security schemes of an account; all others are those of keys.
var sessions = []string{"bearerAuth", "refreshToken", "refreshCookie"}

// TakesKeys reports whether a key may call the operation, rather than only an account.
func (o *Operation) TakesKeys() bool {
	return slices.ContainsFunc(o.Security, func(r Requirement) bool {
		return !slices.ContainsFunc(sessions, func(name string) bool { _, ok := r[name]; return ok })
	})
}

// TakesWriteKeys reports whether a write key, which is public and used by browsers, may call the operation.
func (o *Operation) TakesWriteKeys() bool {
	return slices.ContainsFunc(o.Security, func(r Requirement) bool { _, ok := r["writeKey"]; return ok })
}

// CheckParams checks the path, query and declared header parameters of r against the contract and returns every
// violation. pathParam answers with the value of a path parameter. Headers the contract does not name are ignored.
func (o *Operation) CheckParams(r *http.Request, pathParam func(string) string) Errors {
	var errs Errors
	query := url.Values{}
	if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			errs = append(errs, FieldError{In: InQuery, Code: CodeFormat, Item: -1,
				Detail: "the query string is not valid percent-encoding"})
		}
	}
	known := 0
	for i := range o.Params {
		p := &o.Params[i]
		switch p.In {
		case InPath:
			errs = p.check(errs, []string{pathParam(p.Name)})
		case InHeader:
			errs = p.check(errs, r.Header[textproto.CanonicalMIMEHeaderKey(p.Name)])
		default:
			values, ok := query[p.Name]
			if ok {
				known++
			}
			errs = p.check(errs, values)
		}
	}
	if len(query) > known && !o.OpenQuery {
		errs = o.unknown(errs, query)
	}
	return errs
}

// CanonicalTimes rewrites the date-times of a checked query into the form that the generated code parses, which knows
// neither lower case nor leap seconds. It reports whether it changed any.
func (o *Operation) CanonicalTimes(query url.Values) (changed bool) {
	for i := range o.Params {
		p := &o.Params[i]
		if p.In != InQuery || p.Kind != KindDateTime {
			continue
		}
		for k, v := range query[p.Name] {
			if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
				continue
			}
			if at, ok := parseTime(v); ok {
				query[p.Name][k], changed = at.Format(time.RFC3339Nano), true
			}
		}
	}
	return changed
}

// unknown lists the query parameters that the contract does not declare, in alphabetical order.
func (o *Operation) unknown(errs Errors, query url.Values) Errors {
	var names []string
	for name := range query {
		if !slices.ContainsFunc(o.Params, func(p Param) bool { return p.In == InQuery && p.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) > maxLooseErrors {
		names = names[:maxLooseErrors]
	}
	for _, name := range names {
		errs = append(errs, FieldError{In: InQuery, Pointer: Pointer(name), Code: CodeUnknownParam, Item: -1,
			Detail: "unknown query parameter " + quote(name) + "; remove it"})
	}
	return errs
}
