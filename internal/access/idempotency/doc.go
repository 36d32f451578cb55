// Package idempotency lets a request be sent again without being done again.
//
// What it guarantees:
//
//   - What a request did and its answer are committed in one transaction: after a crash at any moment, sending it again
//     either gets the first answer or does it for the first time.
//   - Of requests with the same key at once, on however many nodes, one is done; the others are told to wait. None of
//     them holds a connection while it waits.
//   - A key means one request: with another body or path it is refused.
//   - An answer may show a secret for the only time, so it is kept encrypted (package secretbox), and for a day.
//
// What happens when that fails: without the database the request is not done at all. Only successful answers are kept; after
// any other nothing was done, and the same key may be used again. When the encryption key is thrown away within the day,
// the answers under it cannot be told again; that is an internal error, and nothing is done twice.
package idempotency
