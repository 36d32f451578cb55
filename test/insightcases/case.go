package insightcases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/bahagh/nimbus/internal/people"
)

// Case is one stream, one question and its answer.
type Case struct {
	ID       string          `json:"id"`
	Family   string          `json:"family"`
	Source   string          `json:"source"`
	Note     string          `json:"note"`
	Events   []Event         `json:"events"`
	Merges   []Merge         `json:"merges"`
	Profiles []Operation     `json:"profiles"`
	Question Question        `json:"question"`
	Expect   json.RawMessage `json:"expect"`
	Peer     json.RawMessage `json:"peer"`
	Differs  json.RawMessage `json:"differs"`
}

// Event is an event as it was sent.
type Event struct {
	ID          string         `json:"id"`
	Name        string         `json:"event"`
	TS          Time           `json:"ts"`
	ReceivedAt  *Time          `json:"received_at"`
	UserID      string         `json:"user_id"`
	AnonymousID string         `json:"anonymous_id"`
	SessionID   string         `json:"session_id"`
	Bot         bool           `json:"bot"`
	Props       map[string]any `json:"props"`
}

// received is when the event was received: at its ts when the case does not say.
func (e *Event) received() int64 {
	if e.ReceivedAt == nil {
		return int64(e.TS)
	}
	return int64(*e.ReceivedAt)
}

// at is the event's place in the order.
func (e *Event) at() people.Moment {
	m := people.Moment{TS: int64(e.TS), Received: e.received()}
	copy(m.ID[:], e.ID)
	return m
}

// Merge makes one user of two.
type Merge struct{ From, Into string }

// Operation is a change of a profile.
type Operation struct {
	UserID string          `json:"user_id"`
	Op     people.Op       `json:"op"`
	TS     Time            `json:"ts"`
	Props  json.RawMessage `json:"props"`
}

// Time is in microseconds since 1970, UTC.
type Time int64

// UnmarshalJSON reads RFC 3339.
func (t *Time) UnmarshalJSON(b []byte) error {
	var at time.Time
	if err := json.Unmarshal(b, &at); err != nil {
		return err
	}
	*t = Time(at.UnixMicro())
	return nil
}

// Question is a question of any kind, as it would be posted.
type Question struct {
	// Raw is the question as the case has it.
	Raw json.RawMessage `json:"-"`

	Kind          string          `json:"kind"`
	From          Time            `json:"from"`
	To            Time            `json:"to"`
	TZ            string          `json:"tz"`
	AsOf          *Time           `json:"as_of"`
	Filter        *Filter         `json:"filter"`
	IncludeBots   bool            `json:"include_bots"`
	WeekStart     string          `json:"week_start"`
	Bucket        string          `json:"bucket"`
	Steps         []Step          `json:"steps"`
	WindowSeconds *int64          `json:"window_seconds"`
	Order         string          `json:"order"`
	Attempt       string          `json:"attempt"`
	Count         string          `json:"count"`
	Exclude       json.RawMessage `json:"exclude"` // funnel: exclusions; paths: names of nodes
	Hold          []string        `json:"hold"`
	Breakdown     *Breakdown      `json:"breakdown"`
	Histogram     *struct {
		Edges []float64 `json:"edges"`
	} `json:"histogram"`
	Start    *Anchor             `json:"start"`
	Return   *Step               `json:"return"`
	End      *Anchor             `json:"end"`
	Cohort   string              `json:"cohort"`
	Mode     string              `json:"mode"`
	Interval string              `json:"interval"`
	Periods  int                 `json:"periods"`
	Event    *string             `json:"event"`
	Depth    int                 `json:"depth"`
	Top      int                 `json:"top"`
	Collapse *bool               `json:"collapse"`
	NodeProp string              `json:"node_prop"`
	Events   []string            `json:"events"`
	Where    *Clause             `json:"where"`
	Static   map[string][]string `json:"static"`
}

// UnmarshalJSON reads a question, and keeps it as it is.
func (q *Question) UnmarshalJSON(b []byte) error {
	type plain Question // without this method
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(q)); err != nil {
		return err
	}
	q.Raw = bytes.Clone(b)
	return nil
}

// asOf is the moment before which things are known.
func (q *Question) asOf() int64 {
	if q.AsOf == nil {
		return math.MaxInt64
	}
	return int64(*q.AsOf)
}

// Step is an event and a filter. Without an event any event fits.
type Step struct {
	Event  *string `json:"event"`
	Filter *Filter `json:"filter"`
}

// Anchor is a step or the name of a node.
type Anchor struct {
	Step
	Node *string `json:"node"`
}

// Exclusion is a step and the numbers of the steps that it lies between.
type Exclusion struct {
	Step
	From *int `json:"from"`
	To   *int `json:"to"`
}

// Breakdown is by a property.
type Breakdown struct {
	Prop        string `json:"prop"`
	Attribution string `json:"attribution"`
	Step        int    `json:"step"`
	Top         *int   `json:"top"`
}

// Clause is a condition of a cohort.
type Clause struct {
	Op      string   `json:"op"`
	Clauses []Clause `json:"clauses"`
	Clause  *Clause  `json:"clause"`
	Step
	Times  map[string]int `json:"times"`
	Within struct {
		LastDays *int64 `json:"last_days"`
		From     Time   `json:"from"`
		To       Time   `json:"to"`
	} `json:"within"`
	Steps         []Step `json:"steps"`
	WindowSeconds *int64 `json:"window_seconds"`
	Cohort        string `json:"cohort"`
}

// Load reads all cases of a directory.
func Load(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var cases []Case
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		d.DisallowUnknownFields()
		if err := d.Decode(&cases); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, cases...)
	}
	return all, nil
}
