// Package audit keeps who changed what, and when.
//
// What it guarantees:
//
//   - An entry is written in the transaction of the change that it records: neither is there without the other.
//   - An entry is never changed, and goes only with its project: a trigger in the database refuses everything else,
//     also to SQL by hand. Entries without a project go when they are old enough (Prune), and never before 30 days.
//   - An entry never holds a secret: the code that records names the fields, and values of keys and passwords are not among them.
//   - A project's entries are read in pages that neither skip nor repeat one that was there when the first was read.
//
// What happens when that fails: when an entry cannot be written, the change does not happen either, and the caller is
// told so. An export that cannot be read to its end breaks the connection off, so that nobody takes a part for the whole.
//
// What concerns an account and no project (logins, passwords, sessions) is entered too, under the project of zeros,
// which only operators of the instance read.
package audit
