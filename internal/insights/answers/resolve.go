package answers

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/platform/zone"
)

const (
	// sessionProp is the property with the client's session id, which the trackers send.
	sessionProp = "session_id"
	// botProp is true of events that a bot caused.
	botProp = "$bot"
	// maxPeriods bounds the periods, buckets and rows of an answer.
	maxPeriods = 10_000
	// maxCells bounds rows × periods.
	maxCells = 50_000
)

// resolver turns a question into a scan, and collects what is wrong with it.
type resolver struct {
	part    string // of the request that has the question
	at      string // pointer of the question
	pin     *pin   // what is refused is refused there
	home    query.Home
	query   scan.Query
	named   map[string]bool // events that the conditions name
	any     bool            // a condition fits events of any name
	marks   map[string]uint64
	cols    map[string]int
	lists   map[uuid.UUID]*behaviour.Set // of fixed cohorts that the clauses name
	who     *audience                    // nil: everybody
	divided *division                    // by a profile's property; nil: not

	profiles *profileClauses // nil: none

	// before is called before the people are read, with who is whom; nil: nothing is.
	before func(ctx context.Context, v *behaviour.View, id *behaviour.Identity) error

	bad   []contract.FieldError
	fault error // that kept the question from being read

	custom func() ([]CustomEvent, error) // of the project
}

// pin is the field that names a cohort, while the clauses of the cohort are read.
type pin struct{ field, cohort string }

func newResolver(at string) *resolver {
	return &resolver{part: contract.InBody, at: at, named: map[string]bool{}, marks: map[string]uint64{}, cols: map[string]int{},
		lists: map[uuid.UUID]*behaviour.Set{}}
}

func (r *resolver) refuse(field, code, detail string) {
	if r.pin != nil {
		field, detail = r.pin.field, "names the cohort "+strconv.Quote(r.pin.cohort)+", whose clause "+field+" "+detail
	}
	r.bad = append(r.bad, contract.FieldError{In: r.part, Pointer: r.at + "/" + field, Code: code, Detail: detail, Item: -1})
}

// err names every bad field.
func (r *resolver) err() error {
	if r.fault != nil {
		return r.fault
	}
	if len(r.bad) > 0 {
		return problem.Invalid(r.bad...)
	}
	return nil
}

// frame is what all questions have.
type frame struct {
	from, to    time.Time
	tz          string
	weekStart   string
	asOf        *time.Time
	includeBots bool
	filter      *scan.Filter
}

// scope is the frame, resolved.
type scope struct {
	query.Range
	loc  *time.Location
	tz   string
	week time.Weekday
	asOf int64
}

// earliest is when a range may begin at the earliest.
var earliest = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)

// scope resolves the frame: the range, the zone, the moment, and what is considered.
func (r *resolver) scope(f *frame, now time.Time) scope {
	s := scope{Range: query.Range{From: f.from.UnixMicro(), To: f.to.UnixMicro()}, loc: time.UTC, tz: "UTC", week: time.Monday, asOf: now.UnixMicro()}
	if f.asOf != nil {
		s.asOf = f.asOf.UnixMicro()
	}
	if f.tz != "" {
		loc, ok := zone.Load(f.tz)
		if !ok {
			r.refuse("tz", zone.Code, zone.Advice)
		} else {
			s.loc, s.tz = loc, f.tz
		}
	}
	if f.weekStart == "sunday" {
		s.week = time.Sunday
	}
	if !f.from.Before(f.to) {
		r.refuse("from", "order", "must be before to")
	}
	if f.from.Before(earliest) || f.to.Year() > 2262 {
		r.refuse("from", contract.CodeMinimum, "must lie between 1971 and 2262, as to must")
	}
	r.query.AsOf = s.asOf
	r.query.Filter = considered(f.filter, f.includeBots)
	return s
}

func (s *scope) weekStart() query.WeekStart {
	if s.week == time.Sunday {
		return query.Sunday
	}
	return query.Monday
}

// considered is the filter of a question, without bots unless they are asked for.
func considered(filter *scan.Filter, bots bool) *scan.Filter {
	if bots {
		return filter
	}
	noBot := scan.Filter{Op: scan.Neq, Prop: botProp, Values: []parts.Value{{Kind: parts.True}}}
	if filter == nil {
		return &noBot
	}
	return &scan.Filter{Op: scan.And, Filters: []scan.Filter{noBot, *filter}}
}

// calendar returns the periods of a bucket, the given one when none is named.
func (s *scope) calendar(bucket, usual string) query.Calendar {
	if bucket == "" {
		bucket = usual
	}
	return query.Calendar{Bucket: query.Bucket(bucket), Loc: s.loc, Week: s.week}
}

// periods says whether a range has few enough periods, and refuses it otherwise. An empty or reversed range was refused already.
func (r *resolver) periods(c query.Calendar, in query.Range, each int) bool {
	if in.From >= in.To {
		return false
	}
	about := int((in.To-in.From)/(c.Bucket.Usual()*query.Second)) + 2
	if about <= maxPeriods && about*each <= maxCells {
		return true
	}
	r.refuse("bucket", contract.CodeTooLarge, "makes about "+strconv.Itoa(about)+" periods of "+string(c.Bucket)+
		", more than an answer has: shorten the range or use a longer period")
	return false
}

// mark returns the bit of a condition: an event of one of the names, any when there are none, that fits the filter.
func (r *resolver) mark(field string, names []string, filter *scan.Filter) uint64 {
	text, _ := json.Marshal(struct { //nolint:errchkjson // names, and values that were JSON
		Names  []string
		Filter *scan.Filter
	}{names, filter})
	if bit, ok := r.marks[string(text)]; ok {
		return bit
	}
	if len(r.query.Matchers) == behaviour.MaxMatchers {
		r.refuse(field, contract.CodeTooLarge, "is one condition more than a question may have: "+strconv.Itoa(behaviour.MaxMatchers)+" different ones")
		return 0
	}
	bit := uint64(1) << len(r.query.Matchers)
	r.marks[string(text)] = bit
	r.query.Matchers = append(r.query.Matchers, scan.Matcher{Names: names, Filter: filter})
	if len(names) == 0 {
		r.any = true
	}
	for _, n := range names {
		r.named[n] = true
	}
	return bit
}

// column returns the index of the value column of a prop, and its dictionary.
func (r *resolver) column(path string) (int, *scan.Dictionary) {
	p, _ := events.ParsePath(path) // one that is none has no member, and is refused
	prop := r.member("prop", p)
	return r.value("p"+prop, func() *scan.Dictionary { return scan.NewDictionary(prop) })
}

// member is the prop that a path names. Parts have a column for each prop and none for what is inside it.
func (r *resolver) member(field string, path events.Path) string {
	if len(path) != 1 {
		r.refuse(field, query.CodeConflict, "must be a prop itself: questions about people do not look into objects and lists. "+
			`Write \ before a dot, bracket or backslash that is part of its name`)
		return ""
	}
	return path[0].Member
}

// profile returns the index of the value column with a property of profiles, and its dictionary.
func (r *resolver) profile(path string) (int, *scan.Dictionary) {
	p, _ := events.ParsePath(path)
	prop := r.member("breakdown/profile", p)
	return r.value("r"+prop, func() *scan.Dictionary {
		d := scan.NewDictionary(prop)
		r.give(d)
		return d
	})
}

// names returns the index of the value column with the names of events, and its dictionary.
func (r *resolver) names() (int, *scan.Dictionary) {
	return r.value("n", func() *scan.Dictionary { return &scan.Dictionary{ByName: true} })
}

// value never has more columns than a row: three held, one broken down by, one for nodes.
func (r *resolver) value(key string, make func() *scan.Dictionary) (int, *scan.Dictionary) {
	if i, ok := r.cols[key]; ok {
		return i, r.query.Values[i]
	}
	d := make()
	r.query.Values = append(r.query.Values, d)
	r.cols[key] = len(r.query.Values) - 1
	return r.cols[key], d
}

// marked makes the scan leave out what fits no condition.
func (r *resolver) marked() {
	r.query.OnlyMarked = true
	if r.any {
		return
	}
	for n := range r.named {
		r.query.Names = append(r.query.Names, n)
	}
}

// sessions makes the scan count sessions: it reads back to where they are certain.
func (r *resolver) sessions() {
	if r.query.Sessions = true; r.query.Groups == nil { // the client's sessions are one person's
		r.query.SessionProp = sessionProp
	}
}
