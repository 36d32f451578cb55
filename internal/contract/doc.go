// Package contract is the runtime behind the code that tools/contractgen writes from openapi/nimbus.yaml.
//
// It guarantees three things about a request that passed it:
//
//   - the body is strict JSON (RFC 8259, valid UTF-8, no trailing data) that meets every rule the contract
//     states for it: no unknown, duplicate or missing member, every limit and format kept;
//   - everything that was wrong is reported at once, each violation by its JSON pointer and a stable code;
//   - reading costs no allocation for a request struct that is used again, unless a string carries escapes.
//
// Strings and raw members alias the body. Whoever keeps them keeps the body alive, and a body buffer must not be
// used again before the decoded values are done with.
package contract
