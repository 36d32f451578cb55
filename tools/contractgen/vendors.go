package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// compatibility is the tag of the operations in another vendor's wire format. The generators of types and clients leave
// it out by its name: nobody calls these with a client of ours.
const compatibility = "Compatibility"

// isVendors says that an operation is in the wire format of another vendor. Its body is open: no decoder is made for it.
func isVendors(op *openapi3.Operation) bool {
	_, ok := op.Extensions["x-dialect"]
	return ok
}

func (o *operations) vendorRow(at, path, method string, op *openapi3.Operation) string {
	dialect, _ := op.Extensions["x-dialect"].(string)
	if dialect == "" {
		o.Add(at, "x-dialect must be the name of a dialect")
	}
	if op.Security == nil || len(*op.Security) > 0 {
		o.Add(at, "has an x-dialect, whose keys are where its vendor has them; say security: []")
	}
	for name := range op.Extensions {
		if name != "x-dialect" && name != "x-aliases" {
			o.Add(at, "has an x-dialect, so %s has no effect", name)
		}
	}
	if !slices.Equal(op.Tags, []string{compatibility}) {
		o.Add(at, "has an x-dialect, so its tag must be %s", compatibility)
	}
	routes := []string{pathParam.ReplaceAllString(path, ":$1")}
	for _, alias := range o.aliases(at, op) {
		routes = append(routes, pathParam.ReplaceAllString(alias, ":$1"))
	}
	return fmt.Sprintf("{\nID: %q,\nDialect: %q,\nMethod: %q,\nPath: %q,\nRoutes: %#v,\nStatuses: []int{%s},\n}",
		op.OperationID, dialect, method, path, routes, strings.Join(o.statuses(at, op), ", "))
}

// aliases are the other paths of an operation.
func (o *operations) aliases(at string, op *openapi3.Operation) []string {
	value, ok := op.Extensions["x-aliases"]
	if !ok {
		return nil
	}
	list, _ := value.([]any)
	var out []string
	for _, v := range list {
		if alias, _ := v.(string); strings.HasPrefix(alias, "/") && !strings.HasSuffix(alias, "/") {
			out = append(out, alias)
		}
	}
	if len(out) == 0 || len(out) != len(list) {
		o.Add(at, "x-aliases must be a list of paths that begin with a slash and do not end with one")
	}
	return out
}
