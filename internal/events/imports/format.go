package imports

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/events/compat/amplitude"
	"github.com/bahagh/nimbus/internal/events/compat/mixpanel"
	"github.com/bahagh/nimbus/internal/events/compat/posthog"
	"github.com/bahagh/nimbus/internal/events/compat/segment"
	"github.com/bahagh/nimbus/internal/events/ingest"
)

// Formats are the formats that can be imported.
var Formats = []string{"segment", "mixpanel", "posthog", "amplitude", "csv", "ndjson"}

// archive is the reader of a format.
func (o *Options) archive() (compat.Archive, error) {
	if len(o.Columns) > 0 && o.Format != "csv" {
		return nil, fmt.Errorf("columns are of the format csv, not of %s", o.Format)
	}
	switch o.Format {
	case "segment":
		return segment.Dialect{}, nil
	case "mixpanel":
		return zoned{mixpanel.Dialect{}, o.Zone}, nil
	case "posthog":
		return posthog.Dialect{}, nil
	case "amplitude":
		return amplitude.Archive{}, nil
	case "csv":
		return newTable(o.Columns, o.Zone)
	case "ndjson":
		return native{}, nil
	}
	return nil, fmt.Errorf("there is no format %q: it is %s", o.Format, strings.Join(Formats, ", "))
}

// zoned reads the times of a format that writes the clock of a zone as if it were UTC: Mixpanel does so for projects that
// were made before 2023.
type zoned struct {
	compat.Archive
	zone *time.Location
}

// Archived maps a line.
func (z zoned) Archived(line []byte) compat.Item {
	item := z.Archive.Archived(line)
	if z.zone == nil || item.Event.TS.IsZero() {
		return item
	}
	item.Event.TS = clockIn(item.Event.TS, z.zone)
	for k := range item.Ops {
		item.Ops[k].TS = clockIn(item.Ops[k].TS, z.zone)
	}
	return item
}

// clockIn is the moment at which clocks of a zone show what those of UTC show at t.
func clockIn(t time.Time, zone *time.Location) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}

// native is Nimbus' own format: what POST /v1/events and /v1/people/operations take, a line each, and what GET /v1/events gives.
type native struct{}

// Archived maps a line: an operation when it has an op, else an event.
func (native) Archived(line []byte) compat.Item {
	item := compat.Item{Raw: line}
	if !compat.IsObject(line) {
		item.Bad("type", "a line must be an object")
		return item
	}
	var p compat.Props
	var op ingest.Operation
	var id string
	ev, timed := &item.Event, true
	for name, v := range compat.Members(line) {
		switch string(name) {
		case "name":
			ev.Name = compat.Text(v)
		case "ts":
			ev.TS, timed = compat.Time(v)
		case "user_id":
			ev.UserID = compat.Text(v)
		case "anonymous_id":
			ev.AnonymousID = compat.Text(v)
		case "idempotency_key":
			ev.IdempotencyKey = compat.Text(v)
		case "id":
			id = compat.Text(v)
		case "seq":
			seq, _ := compat.Number(v)
			ev.Seq = int64(seq)
		case "props":
			p.Object(v, nil)
		case "op":
			op.Op = events.ProfileOp(compat.Text(v))
		case "group":
			op.Group = ingest.Group{Type: compat.Text(compat.Member(v, "type")), Key: compat.Text(compat.Member(v, "key"))}
		case "names":
			op.Names = compat.Names(v)
		}
	}
	if ev.IdempotencyKey == "" {
		ev.IdempotencyKey = id
	}
	switch ev.Props = p.JSON(); {
	case !timed:
		item.Bad("timestamp", "the ts cannot be read")
	case op.Op != "":
		op.UserID, op.AnonymousID, op.TS, op.IdempotencyKey, op.Props = ev.UserID, ev.AnonymousID, ev.TS, ev.IdempotencyKey, ev.Props
		item.Ops = append(item.Ops, op)
		ev.Name = ""
	case strings.TrimSpace(ev.Name) == "":
		item.Bad("name_missing", "an event needs a name")
	}
	return item
}

// Fields are what a column of a table can be of an event.
var Fields = []string{"time", "name", "user", "anonymous", "id", "group"}

// usual are the columns that are taken when none is named.
var usual = map[string][]string{
	"time":      {"time", "timestamp", "ts", "event_time", "created_at", "date"},
	"name":      {"name", "event", "event_name", "event_type"},
	"user":      {"user_id", "user id", "userid", "user", "distinct_id"},
	"anonymous": {"anonymous_id", "anonymousid", "device_id"},
	"id":        {"id", "event_id", "insert_id", "$insert_id", "uuid", "message_id", "idempotency_key"},
}

// table maps the rows of a table, which are objects of its columns.
type table struct {
	columns map[string]string // of each field
	zone    *time.Location
}

// newTable checks a mapping. A name that begins with = is the same for all rows: name==signup.
func newTable(columns map[string]string, zone *time.Location) (*table, error) {
	for field, column := range columns {
		if !slices.Contains(Fields, field) {
			return nil, fmt.Errorf("an event has no %q: a column is its %s", field, strings.Join(Fields, ", "))
		}
		if column == "" {
			return nil, fmt.Errorf("no column is named for %s", field)
		}
	}
	return &table{columns, zone}, nil
}

// column is the value of a field in a row, and the name of its column.
func (t *table) column(row []byte, field string) (value, name string) {
	if named, ok := t.columns[field]; ok {
		if same, constant := strings.CutPrefix(named, "="); constant {
			return same, ""
		}
		return compat.Text(compat.Member(row, named)), named
	}
	for _, candidate := range usual[field] {
		for name, v := range compat.Members(row) {
			if strings.EqualFold(string(name), candidate) {
				return compat.Text(v), string(name)
			}
		}
	}
	return "", ""
}

// Archived maps a row. Columns that are nothing else are props.
func (t *table) Archived(row []byte) compat.Item {
	item := compat.Item{Raw: row}
	taken := make(map[string]bool, len(Fields))
	field := func(name string) string {
		value, column := t.column(row, name)
		taken[column] = true
		return value
	}
	ev := &item.Event
	ev.Name, ev.UserID, ev.AnonymousID, ev.IdempotencyKey = field("name"), field("user"), field("anonymous"), field("id")
	at, ok := t.time(field("time"))
	groupKey := field("group")
	switch ev.TS = at; {
	case !ok:
		item.Bad("timestamp", "the time cannot be read")
		return item
	case strings.TrimSpace(ev.Name) == "":
		item.Bad("name_missing", "a row needs the name of an event")
		return item
	}
	if groupKey != "" && ev.UserID+ev.AnonymousID != "" {
		person := ingest.Operation{UserID: ev.UserID, AnonymousID: ev.AnonymousID, TS: ev.TS}
		item.Ops = append(item.Ops, compat.Membership(person, "group", groupKey))
	}
	var p compat.Props
	for name, v := range compat.Members(row) {
		if !taken[string(name)] {
			p.Value(string(name), typed(v))
		}
	}
	ev.Props = p.JSON()
	return item
}

// hasZone finds the zone at the end of a time.
var hasZone = regexp.MustCompile(`(?i:z|[+-]\d\d:?\d\d)$`)

// time reads a time. One that says no zone is of the zone that was asked for.
func (t *table) time(text string) (time.Time, bool) {
	at, ok := compat.Time(compat.Quote(nil, text))
	isNumber := strings.Trim(text, "0123456789.") == ""
	if ok && !at.IsZero() && t.zone != nil && !isNumber && !hasZone.MatchString(text) {
		at = clockIn(at, t.zone)
	}
	return at, ok
}

// longestNumber is how many characters a number may have: longer ones are ids, of which a float64 would lose digits.
const longestNumber = 15

// typed is the text of a cell as what it says: a number, true, false, an object, a list; nothing when it is empty.
func typed(cell []byte) []byte {
	text := compat.Text(cell)
	switch {
	case text == "":
		return nil
	case text == "true", text == "false", isNumber(text) && len(text) <= longestNumber:
		return []byte(text)
	case text[0] == '{', text[0] == '[':
		if v, ok := compat.Decodable([]byte(text)); ok {
			return v
		}
	}
	return cell
}

// number is that of JSON, without an exponent: a code such as 007, or 1e5, is a text.
var number = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?$`)

func isNumber(text string) bool {
	return (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && number.MatchString(text)
}
