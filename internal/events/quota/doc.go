// Package quota bounds what a project may store: events a day, bytes, and names that are counted by themselves.
//
// A Keeper holds what it knows of the projects that send events to this node. Every few seconds it writes down what
// they stored, and reads what they stored on all nodes: so the check costs no query on the way of an event, and a
// limit may be exceeded by what all nodes store in that time. A name beyond the limit is no reason to refuse an
// event: it is stored as it came, marked, and counted under rollups.Other.
//
// The disk has a reserve: while less than NIMBUS_MIN_FREE_BYTES is free, nothing is taken in, so that a restart and
// deletion still have room.
package quota
