// Package projects holds projects, their members, and the keys that send events to them.
//
// What it guarantees:
//
//   - Who may do what is decided before, by auth.Access. A project that was deleted, or never was, is the same answer,
//     word for word.
//   - A project always has an owner: its changes of members happen one after the other, each with the roles as they are
//     then, and one that would lose the last owner is refused.
//   - People become members by invitations that they accept, and in no other way. An invitation works once, for whom it is made,
//     and ends with its maker's right to make it; of its token only the SHA-256 is stored. Inviting tells nobody who has an
//     account.
//   - A key has no scope that the role of its maker did not allow.
//   - Every change is in the audit log, in the same transaction.
//   - A secret leaves the server once, in the reply that made it. The database holds it sealed (package secretbox) and
//     hashed: a copy of the database alone signs nothing.
//   - A rotated, expired or deleted key stops before the reply that says so; on other nodes within milliseconds, or five
//     seconds where the connection that tells of it hangs. The rotations of one project happen one after the other, and exactly one pair without an end is left.
//   - A signature is compared in constant time and over the exact bytes sent. Whatever a header holds, verifying it ends
//     in a principal or in an answer for the caller, never in an error of the database.
//   - An account owns, and a project has, no more of everything than Limits says, however many ask at once.
//   - A project that an operator has disabled lets in nobody and loses nothing.
//   - A deleted project disappears at once; its events are removed later, in bounded steps, and that goes on where it
//     stopped after a crash. What its former members are told of that is exact after each step.
//
// What happens when that fails: every change is one transaction, so a failure leaves things as they were. Without the
// database no key can be verified, and the error says that it is unavailable; nobody is let in on trust. A secret sealed
// under a key that this node was not given is an internal error, which names the key in the log.
package projects
