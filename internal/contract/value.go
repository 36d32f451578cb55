package contract

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// StringRule holds the contract's rules for one string. Zero values mean no rule.
type StringRule struct {
	Min, Max  int // characters
	Pattern   *regexp.Regexp
	MustBe    string // what the pattern means, for people: "must be …"
	Enum      []string
	Format    Format
	NoControl bool
}

// check returns the first rule that s breaks; one string yields one error, the most basic.
func (rule *StringRule) check(s string, flags textFlags) (code, detail string) {
	if flags != 0 {
		if code, detail := textProblem(flags); code != "" {
			return code, detail
		}
	}
	if rule.NoControl && hasControl(s) {
		return CodeControlCharacter, "must not contain control characters"
	}
	n := len(s)
	if flags&textWide != 0 {
		n = utf8.RuneCountInString(s)
	}
	if n < rule.Min || rule.Max > 0 && n > rule.Max {
		return CodeLength, "must be " + rule.lengths() + " long"
	}
	if rule.Enum != nil && !contains(rule.Enum, s) {
		return CodeEnum, "must be one of " + strings.Join(rule.Enum, ", ")
	}
	if rule.Pattern != nil && !rule.Pattern.MatchString(s) {
		if rule.MustBe != "" {
			return CodePattern, "must be " + rule.MustBe
		}
		return CodePattern, "must match " + rule.Pattern.String()
	}
	if ok, want := rule.Format.check(s); !ok {
		return CodeFormat, "must be " + want
	}
	return "", ""
}

func (rule *StringRule) lengths() string {
	switch {
	case rule.Max == 0:
		return "at least " + plural(rule.Min, "character")
	case rule.Min == 0:
		return "at most " + plural(rule.Max, "character")
	case rule.Min == rule.Max:
		return "exactly " + plural(rule.Max, "character")
	}
	return strconv.Itoa(rule.Min) + " to " + plural(rule.Max, "character")
}

// contains beats a map for the handful of values an enum has.
func contains(enum []string, s string) bool {
	for _, v := range enum {
		if v == s {
			return true
		}
	}
	return false
}

// String reads a string.
func (r *Reader) String(rule *StringRule) string {
	s, flags, ok := r.text("a string")
	if !ok {
		return ""
	}
	if code, detail := rule.check(s, flags); code != "" {
		r.Report(code, detail)
	}
	return s
}

func (r *Reader) text(want string) (string, textFlags, bool) {
	if r.peek() != '"' {
		r.mismatch(want)
		return "", 0, false
	}
	text, flags, ok := r.scanString()
	if !ok {
		return "", 0, false
	}
	return stringOf(text, flags), flags, true
}

// Time reads an RFC 3339 date-time, in UTC and with all its nanoseconds.
func (r *Reader) Time() time.Time {
	s, _, ok := r.text("an RFC 3339 date-time string")
	if !ok {
		return time.Time{}
	}
	t, ok := parseTime(s)
	switch {
	case !ok:
		r.Report(CodeFormat, timeDetail)
	case t.IsZero(): // the zero time stands for an absent member
		r.Report(CodeMinimum, "must be after 0001-01-01T00:00:00Z")
	}
	return t
}

const (
	timeDetail = "must be an RFC 3339 date-time with a zone, such as 2026-01-31T12:00:00Z"
	dateDetail = "must be a date, such as 2026-01-31"
	uuidDetail = "must be a UUID, such as 018f4e2a-7c3b-7d4e-8f10-2b3c4d5e6f70"
)

// Date reads a calendar date as midnight UTC.
func (r *Reader) Date() time.Time {
	s, _, ok := r.text("a date string")
	if !ok {
		return time.Time{}
	}
	day, ok := parseDay(s)
	if !ok {
		r.Report(CodeFormat, dateDetail)
		return time.Time{}
	}
	return time.Unix(day*86400, 0).UTC()
}

// UUID reads a UUID.
func (r *Reader) UUID() [16]byte {
	s, _, ok := r.text("a UUID string")
	if !ok {
		return [16]byte{}
	}
	u, ok := parseUUID(s)
	if !ok {
		r.Report(CodeFormat, uuidDetail)
	}
	return u
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	switch r.peek() {
	case 't':
		r.word("true")
		return r.err == nil
	case 'f':
		r.word("false")
	default:
		r.mismatch("a boolean")
	}
	return false
}

// IntRule bounds an integer, both ends included.
type IntRule struct{ Min, Max int64 }

// Int reads an integer written without fraction and exponent.
func (r *Reader) Int(rule *IntRule) int64 {
	token, simple, ok := r.numeric("an integer")
	if !ok {
		return 0
	}
	if !simple {
		r.Report(CodeType, "must be an integer, without fraction and exponent")
		return 0
	}
	v, ok := integer(token)
	switch {
	case !ok:
		r.Report(CodeNumberRange, "must be an integer of at most 64 bits")
	case v < rule.Min:
		r.Report(CodeMinimum, "must be at least "+strconv.FormatInt(rule.Min, 10))
	case v > rule.Max:
		r.Report(CodeMaximum, "must be at most "+strconv.FormatInt(rule.Max, 10))
	}
	return v
}

// FloatRule bounds a number; infinities ask nothing. Above and Below exclude the bound itself.
type FloatRule struct {
	Min, Max     float64
	Above, Below bool
}

// Float reads a number.
func (r *Reader) Float(rule *FloatRule) float64 {
	token, _, ok := r.numeric("a number")
	if !ok {
		return 0
	}
	if !storable(token) {
		r.Report(CodeNumberRange, rangeDetail)
		return 0
	}
	v, err := strconv.ParseFloat(token, 64)
	if err != nil || math.IsInf(v, 0) {
		r.Report(CodeNumberRange, rangeDetail)
		return 0
	}
	switch {
	case rule.Above && v <= rule.Min:
		r.Report(CodeMinimum, "must be greater than "+formatFloat(rule.Min))
	case v < rule.Min:
		r.Report(CodeMinimum, "must be at least "+formatFloat(rule.Min))
	case rule.Below && v >= rule.Max:
		r.Report(CodeMaximum, "must be less than "+formatFloat(rule.Max))
	case v > rule.Max:
		r.Report(CodeMaximum, "must be at most "+formatFloat(rule.Max))
	}
	return v
}

func (r *Reader) numeric(want string) (token string, simple, ok bool) {
	if c := r.peek(); c != '-' && c-'0' > 9 {
		r.mismatch(want)
		return "", false, false
	}
	return r.scanNumber()
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
