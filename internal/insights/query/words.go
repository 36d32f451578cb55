package query

import (
	"strconv"
	"strings"
)

// Span says a duration in microseconds in words, in the largest unit that it is whole in: 7 days, 90 minutes.
func Span(us int64) string {
	for _, unit := range []struct {
		word string
		us   int64
	}{{"day", Day}, {"hour", Hour}, {"minute", 60 * Second}} {
		if us >= unit.us && us%unit.us == 0 {
			return Plural(us/unit.us, unit.word)
		}
	}
	return Plural(us/Second, "second")
}

// Plural says how many there are of something.
func Plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.FormatInt(n, 10) + " " + word + "s"
}

// List joins words: a, b and c.
func List(words []string, last string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
	}
	return strings.Join(words, "")
}

// Word is what a bucket is called: hour, day, week, month.
func (b Bucket) Word() string {
	switch b {
	case Bucket1h:
		return "hour"
	case Bucket1d:
		return "day"
	case Bucket1w:
		return "week"
	case Bucket1mo:
		return "month"
	default:
		return strings.TrimSuffix(string(b), "m") + " minutes"
	}
}
