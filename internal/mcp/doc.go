// Package mcp lets assistants ask questions by the Model Context Protocol.
//
// The operations of the contract with x-tool are the tools: name, title, description and schema of the arguments are
// read from the contract, so that there is nothing to keep in step. A call of a tool becomes the request that the
// operation is, with the caller's own credentials, and goes through the whole edge: authentication, scopes, roles, limits,
// validation, metrics and the log are those of every other request, and there is no way around them.
//
//   - tool, schema: from the contract to tools
//   - call: from the arguments of a call to a request, and from its answer to the result
//   - link: where the dashboard shows what was answered
//   - server: the protocol over HTTP
//   - relay: the protocol over standard input and output, spoken for a Nimbus elsewhere
//
// No session is kept. Every message carries its credentials and is answered by itself, so any node can answer it, and a
// server that is restarted forgets nothing.
//
// It may import access/auth and contract. Only this package uses the SDK of the protocol.
package mcp
