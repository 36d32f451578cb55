// Package ratelimit counts what callers do, for all nodes of a deployment together: requests, and failed attempts such as
// wrong passwords.
//
// There are two backends of the same behaviour: [Local], in this process, which is all that one node needs, and
// internal/platform/redis. One suite of tests holds both to it. [State] is what the rest of Nimbus uses: the backend there is,
// with the local one to fall back to.
//
// What it guarantees:
//
//   - A limit is a token bucket (GCRA) with exact arithmetic, the same in both backends: the same requests at the same
//     times get the same verdicts.
//   - A request does not wait for Redis to be limited, but for the first of a key: tokens are taken out of the shared
//     bucket in leases of at most 1% of it. So all nodes together never let more through than the bucket holds, and a
//     token may be used up to a minute after it was taken: in any span of time at most 1% for each node more than the
//     bucket gives in that span.
//   - Memory is bounded, whatever callers send: of more than 131,072 keys at once, those with the least to remember are
//     forgotten.
//   - A failed attempt is counted before its outcome is known, so a thousand attempts at once are not a thousand guesses.
//
// What happens when that fails: with Redis away each node limits by itself, so that N nodes together let through up to N
// times the limit, and counts failed logins by itself; nothing is refused for that reason, and ingestion goes on. When
// Redis is back it counts again, from what it remembers.
package ratelimit
