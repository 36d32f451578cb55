package sessions

// Definition says in one sentence what the sessions count.
func Definition(q *Question) string {
	text := "Sessions that began in the range, each with all its events: " +
		"one ends after 30 minutes without an event, after 24 hours, or when the client begins another; a bounce is a session of one event"
	if b := q.Breakdown; b != nil {
		of := "first event"
		if b.Profile {
			of = "person's profile"
		}
		text += "; split by " + b.Label + " of the " + of
	}
	if q.Ends != nil {
		text += "; entry and exit are " + q.Ends.Label + " of the first and the last event"
	}
	return text + "."
}
