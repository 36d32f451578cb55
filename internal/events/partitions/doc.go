// Package partitions keeps the tables that the events are divided into by time.
//
// A list of events plans and locks every partition that its range touches, and all projects share them. So how many
// there are must not be for a sender to choose: the time since the beginning of last year is divided into months, the
// ten years before into years, and everything older is one partition. That is at most 26 + 10 + 1 of them in a new
// database, whatever is sent, and twelve more for each year that it is used. Months that are old and small, as
// versions before have made them by the hundred, are merged.
package partitions
