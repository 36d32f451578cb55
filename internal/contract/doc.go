// Package contract is the runtime behind the code that tools/contractgen writes from openapi/nimbus.yaml.
//
// It guarantees three things about a request that passed it:
//
//   - the body is strict JSON (RFC 8259, valid UTF-8, no trailing data) that meets every rule the contract
//     states for it: no unknown, duplicate or missing member, every limit and format kept;
//   - all violations are reported at once, each with its JSON pointer and a stable code;
//   - reading costs no allocation for a request struct that is used again, unless a string carries escapes.
//
// Strings and raw members alias the body. A reference to one keeps the body alive, and a body buffer must not be
// reused while the decoded values are in use.
package contract
