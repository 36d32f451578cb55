// Package accounts knows who a person is: registering, logging in, and the sessions that follow from it.
//
// What it guarantees:
//
//   - Nothing that opens an account is kept in the clear: passwords are bcrypt hashes, and of a refresh token only its
//     SHA-256 is stored. Access tokens are not stored at all.
//   - An unknown address and a wrong password cannot be told apart, neither by the answer nor by the work behind it.
//   - Guessing a password is slow, and gets slower with each failure: from one place against one account, from one place
//     against many, and from many against one. Nobody can shut the owner out: strangers' failures delay a login by at most
//     a minute, and do not count at all where the owner has logged in during the last month.
//   - bcrypt takes at most half of the processors, however many people log in at once; the others wait their turn, for
//     as long as their request may take.
//   - A refresh token works once. Its successor is derived from it, so a client that asks again within the grace period gets
//     the same successor, also from another node or after a restart, and a lost reply logs nobody out. A token used
//     after that, or after its successor was used, ends the session for everyone who descends from the same login.
//   - An access token is good only while its session is. Logging out, a change of password and a reused refresh token
//     therefore take effect at once, on every node.
//   - Who may have an account is what the operator has set, also through the identity provider. The first account operates the
//     instance, and in production needs a token that only the operator can have. There is always an operator who can log in.
//   - A disabled account has no session and opens none.
//   - A link to a new password works once and for a time; only its SHA-256 is stored. Asking for one tells nobody who has an account.
//   - After a change of password no session opened with the old one is left, not even one that was just being opened.
//   - A person whom the identity provider vouches for gets the linked account, and no other: by the provider's subject, which
//     is nobody else's. The first link goes by a verified address and ends the password and all sessions of the account.
//   - A token of the provider counts when it is signed with RS256 and one of the provider's keys, comes from the issuer,
//     is meant for us, and its session has not been revoked.
//   - Logins, links, changes of password and ended sessions are in the audit log, in the same transaction.
//
// What happens when that fails: without the database nobody logs in and no access token is accepted (503); nothing is
// guessed from the token alone. Without the identity provider nobody logs in with it, and its tokens are good for a day by
// the keys that are known; nothing else depends on it. When the secret changes, every access token becomes invalid; refresh tokens go on
// working, except that a lost reply from the moment of the change ends its session. When pruning stops, sessions that are
// over stay in the tables and take up room, but let nobody in.
package accounts
