package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/bahagh/nimbus/internal/mcp"
)

// runMCP is what a client starts that speaks the protocol over standard input and output. It needs no database: all it knows is
// where a Nimbus is, and a key for it.
func runMCP(ctx context.Context, e *env) error {
	if e.cfg.MCPKey == "" {
		return usageError{errors.New("NIMBUS_MCP_KEY is missing: the secret of an API key of the project, with the scopes metrics:read and events:read")}
	}
	relay := &mcp.Relay{URL: e.cfg.MCPURL, Key: e.cfg.MCPKey, In: os.Stdin, Out: output{e.stdout}}
	return relay.Run(ctx)
}

// output is stdout, which is not ours to close.
type output struct{ io.Writer }

func (output) Close() error { return nil }
