// Package secretbox encrypts the few secrets that Nimbus must be able to read again.
//
// What it guarantees:
//
//   - A box (AES-256-GCM) shows nothing of its content but the length, and one changed bit makes Open fail.
//   - A box is bound to the place it was made for, by additional data that both sides name: moved to another row of
//     the database it does not open.
//   - Every box is accompanied by the id of the key it was sealed under. So a key can be replaced while boxes under the
//     previous one still open, and a key that is missing is named instead of guessed at.
//
// What happens when that fails: Open returns an error, [*UnknownKeyError] when the key itself is missing, and never a
// part of the content. No error holds a key or a plaintext.
package secretbox
