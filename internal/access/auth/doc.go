// Package auth says who calls, and what that caller may do in which project.
//
// A [Principal] is what the credentials of a request prove: an account's session, a refresh token, an API key or a write
// key. The edge (internal/httpapi) checks the credentials and puts the principal into the context; the slices read it with
// [From] and never look at a header.
//
// What [Access] guarantees:
//
//   - An account may do in a project what its role allows, an API key or a write key in its own project what its scopes
//     allow, by the contract's x-role and x-scope. The edge asks before each operation, in one place; a handler runs only
//     for those who may.
//   - It is decided by what the database says now, in each request: a membership that has ended ends access at once.
//   - A project that is not there, one that was deleted and one that is someone else's give the same answer, the one 404.
//     Only who is a member, or holds a key of the project, learns that his role or scope is not enough.
//
// What happens when that fails: where the database cannot be asked, nothing is guessed from before. The caller gets the
// error, which the edge answers with 503. When the last uses of keys and sessions ([Uses]) cannot be stored, they are
// dropped; the list then shows an older one.
package auth
