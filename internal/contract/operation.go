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

// ProjectOfCaller says that an operation names no project and is about all those that the caller may read.
const ProjectOfCaller = "caller"

// The x-roles of operations that ask for no membership of a project.
const (
	RoleAccount  = "account"  // about the caller's own account
	RoleOperator = "operator" // about the whole instance, by an account that operates it
)

// How large the body of an operation may be (x-body). Small is for what anybody may send without credentials; bulk has memory of
// its own, and its time is bounded by the connection and not by the request.
const (
	BodySmall = "small"
	BodyBulk  = "bulk"
)

// What an answer is (x-answer). A stream takes the connection; an export goes on as long as its reader takes it.
const (
	AnswerStream = "stream"
	AnswerExport = "export"
)

// What an operation costs (x-cost). A question may read much, so a bounded number is answered at once; ingestion has a limit of its
// own.
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
	OpenQuery    bool   // x-open-query: the query may have parameters that the contract does not know
	BodySize     string // x-body: BodySmall, BodyBulk, or empty for the size that fits nearly everything
	Answer       string // x-answer: AnswerStream, AnswerExport, or empty for one that is made before it is sent
	Cost         string // x-cost: CostQuestion, CostIngestion, or empty for what takes milliseconds
	Security     []Requirement
	Params       []Param
	Statuses     []int // documented statuses, sorted
	Body         bool
	BodyRequired bool
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

// CanonicalTimes rewrites the date-times of a query that was checked as the generated parameters read them, and reports whether it
// had to: they know no lower case and no leap second.
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

// unknown names the query parameters that the contract does not have, in alphabetical order.
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
