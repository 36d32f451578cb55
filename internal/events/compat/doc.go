// Package compat is the way in for the SDKs of other vendors: Segment and RudderStack, Mixpanel, PostHog, Umami, Plausible.
// A team moves by changing the host its SDK sends to.
//
// Each vendor's wire format is a Dialect, in a package of its own below this one. It reads a request into a Batch of
// items, and writes the answers that its SDKs need. What all of them share is here: credentials, the clock, props and
// their vocabulary, quarantine, and the call of ingest.
//
// What it guarantees:
//
//   - What was answered as stored is committed: an event through ingest, or an item in quarantine.
//   - An event with its vendor's id (messageId, uuid, $insert_id) is stored once, whatever its corrected time is when
//     it is sent again. One without an id is a new one each time.
//   - A bad item costs its neighbours nothing and is never a 4xx: most SDKs drop what gets one, and some then block.
//     It is kept in quarantine, with the reason, where it can be seen, corrected and replayed. A 4xx is for a body that
//     cannot be decoded and for a key that does not work.
//   - Back-pressure, a full quota and a database that is away are a 503 with Retry-After: every SDK that retries at all
//     does so after a 503, while some drop the events of a 429.
//
// IP addresses are not stored. docs/compatibility.md has the mapping of each vendor's calls, docs/vocabulary.md the names
// that context gets as props.
package compat
