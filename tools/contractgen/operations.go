package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// operations writes operations.gen.go: the table that authentication, parameter checks and tests are driven by.
type operations struct {
	*problems
	doc *openapi3.T
}

func newOperations(doc *openapi3.T, p *problems) *operations {
	return &operations{problems: p, doc: doc}
}

// eachOperation visits the operations by path and method, in a fixed order.
func eachOperation(doc *openapi3.T, visit func(at string, item *openapi3.PathItem, path, method string, op *openapi3.Operation)) {
	paths := doc.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		ops := paths[path].Operations()
		for _, method := range slices.Sorted(maps.Keys(ops)) {
			visit(method+" "+path, paths[path], path, method, ops[method])
		}
	}
}

func (o *operations) emit() string {
	o.collisions()
	rows, vendors := map[string]string{}, map[string]string{}
	eachOperation(o.doc, func(at string, item *openapi3.PathItem, path, method string, op *openapi3.Operation) {
		if op.OperationID == "" {
			o.Add(at, "has no operationId")
			return
		}
		if rows[op.OperationID] != "" || vendors[op.OperationID] != "" {
			o.Add(at, "operationId %q is taken", op.OperationID)
		}
		if isVendors(op) {
			vendors[op.OperationID] = o.vendorRow(at, path, method, op)
			return
		}
		rows[op.OperationID] = o.row(at, item, path, method, op)
	})
	var b strings.Builder
	ids := slices.Sorted(maps.Keys(rows))
	fmt.Fprintf(&b, "import (\n\"regexp\"\n\n%q\n)\n\n// Operations is the contract's operation table, by operationId.\nvar Operations = map[string]*contract.Operation{\n", contractPath)
	for _, id := range ids {
		fmt.Fprintf(&b, "%q: %s,\n", id, rows[id])
	}
	b.WriteString("}\n\n// OperationIDs lists every operationId in alphabetical order.\nvar OperationIDs = []string{\n")
	for _, id := range ids {
		fmt.Fprintf(&b, "%q,\n", id)
	}
	b.WriteString("}\n")
	if len(vendors) > 0 {
		b.WriteString("\n// VendorOperations is the table of the operations with an x-dialect, by operationId.\nvar VendorOperations = map[string]*contract.VendorOperation{\n")
		for _, id := range slices.Sorted(maps.Keys(vendors)) {
			fmt.Fprintf(&b, "%q: %s,\n", id, vendors[id])
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// collisions refuses components of different kinds with one name: oapi-codegen gives each of them a Go type.
func (o *operations) collisions() {
	c := o.doc.Components
	taken := map[string]string{}
	for _, kind := range []struct {
		name string
		keys []string
	}{
		{"schemas", slices.Sorted(maps.Keys(c.Schemas))},
		{"parameters", slices.Sorted(maps.Keys(c.Parameters))},
		{"requestBodies", slices.Sorted(maps.Keys(c.RequestBodies))},
		{"responses", slices.Sorted(maps.Keys(c.Responses))},
	} {
		for _, key := range kind.keys {
			folded := strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(key))
			if other, ok := taken[folded]; ok {
				o.Add("components."+kind.name+"."+key, "has the name of %s; they become one Go name", other)
			}
			taken[folded] = "components." + kind.name + "." + key
		}
	}
}

var pathParam = regexp.MustCompile(`\{([^{}]+)\}`)

func (o *operations) row(at string, item *openapi3.PathItem, path, method string, op *openapi3.Operation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\nID: %q,\nMethod: %q,\nPath: %q,\nRoute: %q,\n", op.OperationID, method, path, pathParam.ReplaceAllString(path, ":$1"))
	o.security(&b, at, op)
	o.access(&b, at, item, op)
	if o.boolExt(at, op.Extensions, "x-sensitive") {
		b.WriteString("Sensitive: true,\n")
	}
	if o.boolExt(at, op.Extensions, "x-open-query") {
		b.WriteString("OpenQuery: true,\n")
	}
	o.serving(&b, at, op)
	o.tool(&b, at, op)
	if params := o.params(at, item, op); len(params) > 0 {
		fmt.Fprintf(&b, "Params: []contract.Param{\n%s},\n", strings.Join(params, ""))
	}
	if statuses := o.statuses(at, op); len(statuses) > 0 {
		fmt.Fprintf(&b, "Statuses: []int{%s},\n", strings.Join(statuses, ", "))
	}
	if op.RequestBody != nil {
		b.WriteString("Body: true,\n")
		if op.RequestBody.Value.Required {
			b.WriteString("BodyRequired: true,\n")
		}
	}
	if len(op.Callbacks) > 0 {
		o.Add(at, "callbacks are not supported")
	}
	b.WriteString("}")
	return b.String()
}

// security requires every operation to state who may call it. With a default for the whole document, one forgotten
// line would open an operation to everyone.
func (o *operations) security(b *strings.Builder, at string, op *openapi3.Operation) {
	scope, _ := op.Extensions["x-scope"].(string)
	switch {
	case op.Security == nil:
		o.Add(at, "states no security; say security: [] if it is public")
		return
	case len(*op.Security) == 0:
		for _, name := range []string{"x-scope", "x-role", "x-project", "x-self"} {
			if _, ok := op.Extensions[name]; ok {
				o.Add(at, "is public, so %s has no effect", name)
			}
		}
		b.WriteString("Public: true,\n")
		return
	case scope == "":
		o.Add(at, "has security but no x-scope")
	}
	fmt.Fprintf(b, "Scope: %q,\nSecurity: []contract.Requirement{\n", scope)
	for _, req := range *op.Security {
		if len(req) == 0 {
			o.Add(at, "an empty security requirement makes the others optional; it is not supported")
		}
		b.WriteString("{")
		for i, scheme := range slices.Sorted(maps.Keys(req)) {
			if o.doc.Components.SecuritySchemes[scheme] == nil {
				o.Add(at, "security names the unknown scheme %q", scheme)
			}
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(b, "%q: {", scheme)
			for j, s := range req[scheme] {
				if j > 0 {
					b.WriteString(", ")
				}
				fmt.Fprintf(b, "%q", s)
			}
			b.WriteString("}")
		}
		b.WriteString("},\n")
	}
	b.WriteString("},\n")
}

func (o *operations) statuses(at string, op *openapi3.Operation) []string {
	var out []string
	for _, status := range slices.Sorted(maps.Keys(op.Responses.Map())) {
		if status == "default" {
			continue
		}
		if _, err := strconv.Atoi(status); err != nil {
			o.Add(at, "response %q is not a status; name each one", status)
			continue
		}
		out = append(out, status)
	}
	return out
}
