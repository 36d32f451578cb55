// Package httpapi is the edge between the socket and the slices: Echo and the order of its middleware, the contract's
// security and parameters, reading and decompressing bodies within bounds, problem+json, and the documentation pages.
//
// It knows the slices only as the generated ServerInterface. What an operation requires (credentials, scope,
// parameters, body) is read from the contract's operation table once, at the start: New fails when an operation
// names a kind of credentials that nothing here can check, so no operation is open by accident.
package httpapi
