// Package partitions keeps the tables that the events are divided into by time: it makes them before their first event
// comes, and drops them when they are old and empty.
package partitions
