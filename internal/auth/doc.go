// Package auth says who calls, and which projects that caller may see.
//
// A [Principal] is what the credentials of a request prove: an account's session, a refresh token, an API key or a write
// key. The edge (internal/httpapi) checks the credentials and puts the principal into the context; the slices read it with
// [From] and never look at a header.
//
// What [Access] guarantees:
//
//   - An account sees the projects it is a member of, an API key its own project; a refresh token and a write key see none.
//   - It is decided by what the database says now, in each request: a membership that has ended ends access at once.
//   - A project that is not there, one that was deleted and one that is someone else's give the same answer, the one 404.
//
// What happens when that fails: where the database cannot be asked, nothing is guessed from before. The caller gets the
// error, which the edge answers with 503.
package auth
