// Package secretbox encrypts the few secrets that Nimbus must be able to read again.
//
// What it guarantees:
//
//   - A box (AES-256-GCM) shows nothing of its content but the length, and one changed bit makes Open fail.
//   - A box is bound to its place by additional authenticated data (AAD): moved to another row of the database it
//     does not open.
//   - Every box is stored with the id of its key. So a key can be rotated while boxes under the previous one still
//     open, and the error for a missing key names it.
//
// What happens when that fails: Open returns an error, [*UnknownKeyError] when the key itself is missing, and never a
// part of the content. No error holds a key or a plaintext.
package secretbox
