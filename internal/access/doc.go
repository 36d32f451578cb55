// Package access groups who may do what.
//
//   - accounts: people who log in, their sessions and tokens, providers of identity
//   - projects: the tenants, their members, their keys
//   - auth: who calls (Principal) and whether he may (Access); the only part that other groups import
//   - audit: the log of what was changed, by whom
//   - idempotency: answers kept under an Idempotency-Key
//
// It may import contract and platform. What a request is about (an event, a question) is unknown here.
package access
