package behaviour

// MaxMatchers bounds how many distinct conditions (steps, exclusions, anchors) one question may have: each is a bit of
// Row.Marks.
const MaxMatchers = 64

// MaxValues bounds how many value columns (held, broken down by, node) one question may have. The most that a question
// needs is four (three held, one broken down by); five fill the row to 40 bytes.
const MaxValues = 5

// Row is one considered event of one person, reduced to what the operators of a question need. A scan has evaluated the
// filters already: an operator never sees a property, only which conditions the event fits and the codes of its values.
type Row struct {
	// TS is the time of the event in microseconds since 1970, UTC.
	TS int64
	// Marks has bit i set when the event fits condition i of the question.
	Marks uint64
	// Session counts the sessions of the person, from 1, over his unfiltered events: Sessions[Session-1] is the one
	// that the event is in. It is 0 when the question needs none.
	Session uint32
	// Values are codes into the dictionaries of the question, one for each value column. Equal codes are equal
	// values, 0 is the absent value (missing or null).
	Values [MaxValues]uint32
}

// Fits says whether the event fits condition i of the question.
func (r *Row) Fits(i int) bool { return r.Marks&(1<<uint(i)) != 0 }

// FitsAny says whether the event fits one of the conditions whose bits are set.
func (r *Row) FitsAny(marks uint64) bool { return r.Marks&marks != 0 }

// Person is the rows of one person in the order (ts, received_at, id), duplicates left out.
type Person struct {
	// No is the number of the person after links and merges: two people never share one within a project.
	No   uint32
	Rows []Row
	// Sessions are those that the rows are in, and others of the person. It is empty when the question needs none.
	Sessions []Session
}

// Member is a person behind a number, and the moment that put him there.
type Member struct {
	No uint32
	// At is in microseconds since 1970, UTC.
	At int64
}

// Compare orders two codes of a value column by the type and the text of what they stand for; the absent value comes
// first.
type Compare func(a, b uint32) int
