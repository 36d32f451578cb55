package mcp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
)

// projectID is the argument by which a tool names its project.
const projectID = "project_id"

// tool is an operation of the contract that assistants may call.
type tool struct {
	op    *contract.Operation
	about *sdk.Tool // as whoever has to name a project sees it
	input object    // its schema of the arguments
}

// tools makes a tool of each operation with x-tool, in alphabetical order.
func (d *document) tools(operations map[string]*contract.Operation) ([]*tool, error) {
	var all []*tool
	for _, id := range slices.Sorted(maps.Keys(operations)) {
		op := operations[id]
		if !op.Tool {
			continue
		}
		input, err := d.input(op.Path, op.Method)
		if err != nil {
			return nil, err
		}
		schema, err := json.Marshal(input)
		if err != nil {
			return nil, fmt.Errorf("the arguments of %s: %w", id, err)
		}
		stated, _ := d.Paths[op.Path][strings.ToLower(op.Method)].(object)
		summary, _ := stated["summary"].(string)
		description, _ := stated["description"].(string)
		closed := false // it asks this server alone
		all = append(all, &tool{op: op, input: input, about: &sdk.Tool{
			Name: id, Title: summary, Description: strings.TrimSpace(summary + "\n\n" + description), InputSchema: json.RawMessage(schema),
			Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: &closed},
		}})
	}
	return all, nil
}

// calledBy says whether the caller may call the tool, as far as that is known without a project: a key has scopes, an
// account has a role in each project.
func (t *tool) calledBy(p *auth.Principal) bool {
	takes := func(scheme string) bool {
		return slices.ContainsFunc(t.op.Security, func(r contract.Requirement) bool { _, ok := r[scheme]; return ok && len(r) == 1 })
	}
	if p.Kind == auth.KindAPIKey {
		return takes("apiKey") && p.Allows(t.op.Scope)
	}
	return takes("bearerAuth") && t.op.Role != contract.RoleOperator
}

// seenBy is the tool as the caller needs to know it.
func (t *tool) seenBy(p *auth.Principal) (*sdk.Tool, error) {
	if p.Kind != auth.KindAPIKey {
		return t.about, nil
	}
	schema, err := ofProject(t.input, p.ProjectID.String())
	if err != nil {
		return nil, fmt.Errorf("the arguments of %s: %w", t.op.ID, err)
	}
	about := *t.about
	about.InputSchema = schema
	return &about, nil
}
