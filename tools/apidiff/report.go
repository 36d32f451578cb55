package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// report is the output of `redocly diff --format json`, with the members that are used here.
type report struct {
	ReportVersion string `json:"reportVersion"`
	InfoVersions  struct {
		Base     string `json:"base"`
		Revision string `json:"revision"`
	} `json:"infoVersions"`
	Changes []change `json:"changes"`
}

// change is one difference. Path points at the place in the resolved document; what a $ref shares is reported once,
// at its first use.
type change struct {
	Path     string    `json:"path"`
	Kind     string    `json:"kind"`
	Impact   string    `json:"impact"`
	Property string    `json:"property"`
	Verdicts []verdict `json:"verdicts"`
	Base     *place    `json:"base"`
	Revision *place    `json:"revision"`
}

// verdict is the result of one of Redocly's rules for a change.
type verdict struct {
	Impact   string `json:"impact"`
	Message  string `json:"message"`
	Location place  `json:"location"`
}

// place is a line of one of the documents, and the value there.
type place struct {
	File  string          `json:"file"`
	Line  int             `json:"line"`
	Value json.RawMessage `json:"value"`
}

const major = "major"

// breaks lists the changes that can break a client, one line each, in the order of the document.
func (r report) breaks() []string {
	var lines []string
	add := func(c change, at *place, message string) {
		where := c.where()
		if at != nil {
			where = fmt.Sprintf("%s:%d: %s", at.File, at.Line, where)
		}
		lines = append(lines, where+": "+message)
	}
	for _, c := range r.Changes {
		judged := false
		for _, v := range c.Verdicts {
			if v.Impact == major {
				add(c, &v.Location, v.Message)
				judged = true
			}
		}
		if message := c.ours(); message != "" {
			at := c.Revision
			if at == nil {
				at = c.Base
			}
			add(c, at, message)
		} else if c.Impact == major && !judged {
			add(c, c.Revision, strings.TrimSpace(c.Kind+" "+c.Property))
		}
	}
	return slices.Compact(lines)
}

// where names the operation of a change: "GET /v1/events".
func (c change) where() string {
	parts := strings.Split(strings.TrimPrefix(c.Path, "#/"), "/")
	if len(parts) < 3 || parts[0] != "paths" {
		return c.Path
	}
	path := strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[1])
	if slices.Contains([]string{"get", "put", "post", "delete", "patch", "head", "options", "trace"}, parts[2]) {
		return strings.ToUpper(parts[2]) + " " + path
	}
	return path
}

// roles are the values of x-role, each allowing less than the one before; account is about no project, and compares
// with none.
var roles = []string{"viewer", "admin", "owner"}

// accountScopes are the values of x-scope that no key has. An account needs none, so nobody was asked for them.
var accountScopes = []string{"account", "session", "instance", "projects:read", "projects:write"}

// bodySizes are the values of x-body, each allowing more than the one before; without x-body a body has the middle one.
var bodySizes = []string{"small", "", "bulk"}

// ours judges changes that Redocly considers harmless: our extensions, which the server enforces, and defaults, which
// change the meaning of a request without the member. An extension that is not named here breaks: a new trait needs a
// rule here first. It returns "" when nothing breaks.
func (c change) ours() string {
	if c.Property == "" {
		return ""
	}
	before, after := c.Base.text(), c.Revision.text()
	changed := fmt.Sprintf("`%s` changed from %s to %s.", c.Property, or(before, "nothing"), or(after, "nothing"))
	breaks := before != after
	switch c.Property {
	case "x-max-bytes", "x-max-depth":
		breaks = after != "" && (before == "" || c.Revision.number() < c.Base.number())
	case "x-no-control", "x-json-object":
		breaks = after == "true"
	case "x-role":
		breaks = breaks && !lower(roles, c.Base.value(), c.Revision.value())
	case "x-body":
		breaks = breaks && !lower(bodySizes, c.Revision.value(), c.Base.value())
	case "x-open-query", "x-tool":
		breaks = before == "true" // requests that got a 200 are refused now, and a tool is gone
	case "x-scope":
		breaks = breaks && !slices.Contains(accountScopes, c.Base.value())
	case "x-cost", "x-sensitive", "x-reserved-paths", "x-dialect", "x-enum-varnames", "x-omitzero":
		breaks = false // internal to the server or to code generation
	case "x-aliases":
		breaks = before != "" && !strings.HasPrefix(strings.TrimSuffix(after, "]"), strings.TrimSuffix(before, "]")) // one was taken away
	case "x-project", "x-self", "x-answer", "default":
	default:
		breaks = breaks && strings.HasPrefix(c.Property, "x-") && !strings.HasPrefix(c.Property, "x-go-")
	}
	if !breaks {
		return ""
	}
	return changed
}

// lower reports whether the order has b before a, so that going from a to b asks for less.
func lower(order []string, a, b string) bool {
	from, to := slices.Index(order, a), slices.Index(order, b)
	return from >= 0 && to >= 0 && to < from
}

// value is a string of the document without its quotes; empty where there is none.
func (p *place) value() string {
	var v string
	if p != nil {
		_ = json.Unmarshal(p.Value, &v) // anything else is no value of ours, and compares with none
	}
	return v
}

func (p *place) text() string {
	if p == nil {
		return ""
	}
	return string(p.Value)
}

func (p *place) number() float64 {
	var n float64
	if p != nil {
		_ = json.Unmarshal(p.Value, &n) // the lint of the contract holds it to a number
	}
	return n
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
