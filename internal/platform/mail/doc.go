// Package mail sends mails to people: invitations and links to a new password.
//
// What it guarantees:
//
//   - Nobody waits for a mail server: what is to be sent goes into a bounded queue, and Outbox.Run sends it, one after the
//     other, each with a few attempts. How long a request takes therefore does not tell whether a mail is sent.
//   - A connection is encrypted. Only smtp:// to this machine itself, or with ?tls=off, is not.
//   - No log line holds an address or a link.
//
// What happens when that fails: a mail that could not be sent is logged, counted, and lost: the page that asked for it says
// that it may be asked for again. The queue is not kept over a restart, for the same reason. When the queue is full, Enqueue says so.
package mail
