// Package build keeps the parts of every project: it follows the arrivals, merges what it wrote, builds days anew, and
// proves that parts are what the events say.
//
// It guarantees:
//
// - an event that arrived is in exactly one part, sooner or later, wherever the builder is stopped: what a step writes
// and how far the cursor then is are one transaction; - a day that is built from the events is built from one snapshot,
// and says which. Arrivals that the snapshot saw are not added to that day again; - readers never wait for it, and see
// a day before or after a step; - it takes a share of one core and a bounded part of the memory, one connection, and
// rests between its steps.
//
// Whatever it missed (arrivals that were removed before it came to them, events stored or deleted by a node that knows of
// no parts, a restore without them) shows in event_counts: readers leave such a day's parts alone, a reader or a Survey
// marks it, and the day is built anew.
package build
