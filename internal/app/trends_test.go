package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

type object = map[string]any

// happening is an event of the stream that trends are asked about.
type happening struct {
	name, user, anonymous string
	ts                    time.Time
	props                 object
}

// happenings is random events of few people, so that they meet: ids that are linked once, junk, events of nobody.
func happenings(random *rand.Rand, start time.Time, n int) []happening {
	events := make([]happening, n)
	for i := range events {
		e := &events[i]
		e.name = fmt.Sprint("e", random.IntN(3))
		e.ts = start.Add(time.Duration(random.IntN(12*24*3600)) * time.Second)
		no := random.IntN(8)
		switch random.IntN(8) {
		case 0:
			e.anonymous = "junk is null"
		case 1:
		case 2, 3:
			e.anonymous = fmt.Sprint("a", no)
		case 4:
			e.user, e.anonymous = fmt.Sprint("u", no/2), fmt.Sprint("a", no)
		default:
			e.user = fmt.Sprint("u", no/2)
		}
		if e.anonymous == "junk is null" {
			e.anonymous = "null"
		}
		e.props = object{}
		if plan := []any{"pro", "free", true, 1, nil, "1"}[random.IntN(6)]; plan != nil || random.IntN(2) == 0 {
			e.props["plan"] = plan
		}
		switch random.IntN(6) {
		case 0:
			e.props["amount"] = "free"
		case 1:
		default:
			e.props["amount"] = json.Number(fmt.Sprintf("%d.%02d", random.IntN(40)-5, random.IntN(3)*25))
		}
		if random.IntN(12) == 0 {
			e.props["$bot"] = true
		}
	}
	return events
}

// trendsAsked is a random question with what the reference needs of it.
type trendsAsked struct {
	from, to time.Time
	loc      *time.Location
	bucket   string
	filter   bool // only amounts of 5 or more
	bots     bool
	lines    []line
	by       []object
	top      int
	of       *reference // knows the profiles
}

type line struct {
	event, measure string
	any            []string
	first, sofar   bool
	rolling        int
}

func (l *line) numeric() bool {
	return slices.Contains([]string{"sum", "avg", "min", "max", "p50", "p90", "p95", "p99"}, l.measure)
}

func randomTrends(random *rand.Rand, start time.Time) *trendsAsked {
	zone := []string{"UTC", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns"}[random.IntN(4)]
	q := &trendsAsked{bucket: []string{"1h", "1d", "1w", "1d"}[random.IntN(4)], filter: random.IntN(3) == 0, bots: random.IntN(4) == 0, top: 1 + random.IntN(4)}
	q.loc, _ = time.LoadLocation(zone)
	q.from = start.Add(time.Duration(random.IntN(4*24*60)) * time.Minute)
	q.to = q.from.Add(time.Duration(1+random.IntN(7*24*60)) * time.Minute)
	measures := []string{"count", "users", "sum", "avg", "min", "max", "p50", "p90", "p95", "p99", "per_person_avg", "per_person_p50", "per_person_p90"}
	for range 1 + random.IntN(3) {
		l := line{measure: measures[random.IntN(len(measures))]}
		switch random.IntN(3) {
		case 0:
			l.event = fmt.Sprint("e", random.IntN(3))
		case 1:
			l.any = []string{"e0", "e2"}
		}
		perPerson := strings.HasPrefix(l.measure, "per")
		switch random.IntN(4) {
		case 0:
			l.first = !perPerson
		case 1:
			if l.measure == "users" && q.bucket != "1h" {
				l.rolling = 1 + random.IntN(9)
			}
		}
		l.sofar = l.rolling == 0 && random.IntN(2) == 0 && slices.Contains([]string{"count", "users", "sum"}, l.measure)
		q.lines = append(q.lines, l)
	}
	for range random.IntN(3) {
		q.by = append(q.by, []object{{"prop": "plan"}, {"by": "name"}, {"prop": "amount", "edges": []any{0, 5.5, 20}}, {"prop": "amount"},
			{"by": "profile", "prop": "tier"}, {"by": "profile", "prop": "amount", "edges": []any{0, 5.5, 20}}}[random.IntN(6)])
	}
	return q
}

func (q *trendsAsked) body() object {
	body := object{"from": q.from.Format(time.RFC3339), "to": q.to.Format(time.RFC3339), "tz": q.loc.String(), "bucket": q.bucket,
		"top": q.top, "include_bots": q.bots, "formulas": []any{object{"expression": "A / A"}}}
	if q.filter {
		body["filter"] = object{"op": "gte", "prop": "amount", "value": 5}
	}
	var series []any
	for _, l := range q.lines {
		s := object{"measure": l.measure, "first_time": l.first, "cumulative": l.sofar}
		if l.event != "" {
			s["event"] = l.event
		}
		if l.any != nil {
			var any []any
			for _, name := range l.any {
				any = append(any, object{"event": name})
			}
			s["any_of"] = any
		}
		if l.numeric() {
			s["prop"] = "amount"
		}
		if l.rolling > 0 {
			s["rolling_days"] = l.rolling
		}
		series = append(series, s)
	}
	body["series"] = series
	if len(q.by) > 0 {
		body["breakdown"] = q.by
	}
	return body
}

// reference answers by the definition: for each question it goes over all events.
type reference struct {
	events   []happening
	links    map[string]string
	profiles map[string]object // by person
}

func newReference(events []happening) *reference {
	r := &reference{events: events, links: map[string]string{}}
	for i := range events {
		if e := &events[i]; e.user != "" && e.anonymous != "" && e.anonymous != "null" {
			r.links[e.anonymous] = e.user
		}
	}
	return r
}

// describe gives most people a profile, and sends it.
func (r *reference) describe(random *rand.Rand, x *apptest.Tenant) {
	r.profiles = map[string]object{}
	var sent []operation
	for i := range r.events {
		who := r.person(&r.events[i])
		if who == "" || r.profiles[who] != nil {
			continue
		}
		r.profiles[who] = object{}
		if random.IntN(4) == 0 {
			continue
		}
		r.profiles[who] = object{"tier": []any{"gold", "1", json.Number("1"), true, nil}[random.IntN(5)]}
		if random.IntN(3) > 0 {
			r.profiles[who]["amount"] = json.Number(fmt.Sprint(random.IntN(30) - 3))
		}
		o := operation{"op": "set", "props": r.profiles[who]}
		if anonymous, ok := strings.CutPrefix(who, "a:"); ok {
			o["anonymous_id"] = anonymous
		} else {
			o["user_id"] = who
		}
		sent = append(sent, o)
	}
	x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, sent...)).Want(200)
}

func (r *reference) person(e *happening) string {
	switch {
	case e.user != "":
		return e.user
	case e.anonymous == "" || e.anonymous == "null":
		return ""
	case r.links[e.anonymous] != "":
		return r.links[e.anonymous]
	default:
		return "a:" + e.anonymous
	}
}

func amount(e *happening) (float64, bool) { return numberIn(e.props) }

func numberIn(props object) (float64, bool) {
	n, ok := props["amount"].(json.Number)
	v, _ := n.Float64()
	return v, ok
}

func (q *trendsAsked) considers(e *happening) bool {
	if e.props["$bot"] == true && !q.bots {
		return false
	}
	v, ok := amount(e)
	return !q.filter || ok && v >= 5
}

func (l *line) fits(e *happening) bool {
	return (l.event == "" || l.event == e.name) && (l.any == nil || slices.Contains(l.any, e.name))
}

// group is the values of the breakdown as the answer writes them.
func (q *trendsAsked) group(e *happening) string {
	var values []object
	for _, by := range q.by {
		v, props := object{}, e.props
		if by["by"] == "profile" {
			props = q.of.profiles[q.of.person(e)]
		}
		switch is := props[fmt.Sprint(by["prop"])]; {
		case by["by"] == "name":
			v["value"] = e.name
		case by["edges"] != nil:
			n, ok := numberIn(props)
			if !ok {
				break
			}
			edges := []float64{0, 5.5, 20}
			i := 0
			for i < 3 && n >= edges[i] {
				i++
			}
			if i > 0 {
				v["gte"] = edges[i-1]
			}
			if i < 3 {
				v["lt"] = edges[i]
			}
		case is != nil:
			v["value"] = is
			if n, ok := is.(json.Number); ok {
				f, _ := n.Float64()
				v["value"] = f
			}
		}
		values = append(values, v)
	}
	text, _ := json.Marshal(values)
	return string(text)
}

func (q *trendsAsked) bounds() []time.Time {
	at := q.from.In(q.loc)
	day := func(t time.Time, add int) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+add, 0, 0, 0, 0, q.loc)
	}
	switch q.bucket {
	case "1d":
		at = day(at, 0)
	case "1w":
		at = day(at, -(int(at.Weekday())+6)%7)
	default:
		_, offset := at.Zone()
		at = at.Add(-time.Duration((at.Unix()+int64(offset))%3600) * time.Second)
	}
	out := []time.Time{at}
	for at.Before(q.to) {
		switch q.bucket {
		case "1d":
			at = day(at, 1)
		case "1w":
			at = day(at, 7)
		default:
			at = at.Add(time.Hour)
		}
		out = append(out, at)
	}
	return out
}

// measure is the measure of the events in [from, to) that pass, nil where there is none, with the people behind it.
func (r *reference) measure(q *trendsAsked, l *line, from, to time.Time, pass func(*happening) bool) (*float64, []string) {
	var events []*happening
	first := map[string]*happening{}
	for i := range r.events {
		e := &r.events[i]
		if !q.considers(e) || !l.fits(e) {
			continue
		}
		if p := r.person(e); p != "" && (first[p] == nil || e.ts.Before(first[p].ts)) {
			first[p] = e
		}
		events = append(events, e)
	}
	people := map[string]int{}
	var numbers []float64
	sum, n := new(big.Rat), 0
	for _, e := range events {
		p := r.person(e)
		if e.ts.Before(from) || !e.ts.Before(to) || !pass(e) || l.first && first[p] != e {
			continue
		}
		if l.numeric() {
			v, ok := amount(e)
			if !ok {
				continue
			}
			numbers = append(numbers, v)
			exact, _ := new(big.Rat).SetString(string(e.props["amount"].(json.Number)))
			sum.Add(sum, exact)
		}
		n++
		if p != "" {
			people[p]++
		}
	}
	return statistic(l.measure, n, people, numbers, sum), slices.Sorted(maps.Keys(people))
}

func statistic(measure string, n int, people map[string]int, numbers []float64, sum *big.Rat) *float64 {
	slices.Sort(numbers)
	var v float64
	if strings.HasPrefix(measure, "per_person") {
		for _, n := range people {
			numbers = append(numbers, float64(n))
			sum.Add(sum, new(big.Rat).SetInt64(int64(n)))
		}
		slices.Sort(numbers)
		measure = strings.TrimPrefix(measure, "per_person_")
	}
	switch measure {
	case "count":
		v = float64(n)
	case "users":
		v = float64(len(people))
	case "sum":
		v, _ = sum.Float64()
	default:
		if len(numbers) == 0 {
			return nil
		}
		at := func(p float64) float64 {
			place := p * float64(len(numbers)-1)
			lo, hi := numbers[int(math.Floor(place))], numbers[int(math.Ceil(place))]
			return lo + (place-math.Floor(place))*(hi-lo)
		}
		switch measure {
		case "avg":
			v, _ = sum.Quo(sum, new(big.Rat).SetInt64(int64(len(numbers)))).Float64()
		case "min":
			v = numbers[0]
		case "max":
			v = numbers[len(numbers)-1]
		default:
			var percent float64
			_, _ = fmt.Sscanf(measure, "p%g", &percent)
			v = at(percent / 100)
		}
	}
	return &v
}

// row is the line's numbers of the events that pass.
func (r *reference) row(q *trendsAsked, l *line, pass func(*happening) bool) (total *float64, values []*float64) {
	bounds := q.bounds()
	total, _ = r.measure(q, l, q.from, q.to, pass)
	for i := range len(bounds) - 1 {
		from, to := r.reach(q, l, bounds, i)
		v, _ := r.measure(q, l, from, to, pass)
		values = append(values, v)
	}
	return total, values
}

// reach is what a bucket measures the events of.
func (r *reference) reach(q *trendsAsked, l *line, bounds []time.Time, i int) (from, to time.Time) {
	from, to = latest(q.from, bounds[i]), bounds[i+1]
	if q.to.Before(to) {
		to = q.to
	}
	switch {
	case l.sofar:
		from = q.from
	case l.rolling > 0:
		end := bounds[i+1].In(q.loc)
		from = time.Date(end.Year(), end.Month(), end.Day()-l.rolling, 0, 0, 0, 0, q.loc)
	}
	return from, to
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

type trendsLine struct {
	Total  *float64
	Values []*float64
}

type trendsAnswer struct {
	Starts   []time.Time
	Series   []trendsLine
	Formulas []trendsLine
	Groups   []struct {
		Values   json.RawMessage
		Other    bool
		Series   []trendsLine
		Formulas []trendsLine
	}
	Meta struct {
		Definition, Source string
		AsOf               string `json:"as_of"`
	}
}

func show(v *float64) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(*v)
}

func (l *trendsLine) String() string {
	text := show(l.Total) + ":"
	for _, v := range l.Values {
		text += " " + show(v)
	}
	return text
}

// check compares an answer with the reference.
func (r *reference) check(q *trendsAsked, a *trendsAnswer) error {
	bounds := q.bounds()
	if len(a.Starts) != len(bounds)-1 || !a.Starts[0].Equal(bounds[0]) {
		return fmt.Errorf("starts %v, want %v", a.Starts, bounds)
	}
	all := func(*happening) bool { return true }
	compare := func(where string, got trendsLine, l *line, pass func(*happening) bool) error {
		var want trendsLine
		want.Total, want.Values = r.row(q, l, pass)
		if got.String() != want.String() {
			return fmt.Errorf("%s, %+v:\n got %s\nwant %s", where, *l, got.String(), want.String())
		}
		return nil
	}
	shown := map[string]bool{}
	for i := range q.lines {
		if err := compare("all", a.Series[i], &q.lines[i], all); err != nil {
			return err
		}
	}
	for _, g := range a.Groups {
		shown[canonical(g.Values)] = !g.Other
	}
	for _, g := range a.Groups {
		pass := func(e *happening) bool { return q.group(e) == canonical(g.Values) }
		if g.Other {
			pass = func(e *happening) bool { return !shown[q.group(e)] }
		}
		for i := range q.lines {
			if err := compare(string(g.Values), g.Series[i], &q.lines[i], pass); err != nil {
				return err
			}
		}
	}
	return r.ranked(q, a, shown)
}

// ranked checks that no group that is not shown has a larger total than one that is.
func (r *reference) ranked(q *trendsAsked, a *trendsAnswer, shown map[string]bool) error {
	if q.by == nil {
		return nil
	}
	size := func(v *float64) float64 {
		if v == nil {
			return math.Inf(-1)
		}
		return *v
	}
	least := math.Inf(1)
	for i, g := range a.Groups {
		if g.Other {
			continue
		}
		total := size(g.Series[0].Total)
		if total > least {
			return fmt.Errorf("group %d is larger than the one before", i)
		}
		least = total
	}
	others := map[string]bool{}
	for i := range r.events {
		e := &r.events[i]
		if _, number := amount(e); q.considers(e) && q.lines[0].fits(e) && (number || !q.lines[0].numeric()) { // else nothing was measured
			others[q.group(e)] = true
		}
	}
	for group := range others {
		total, _ := r.measure(q, &q.lines[0], q.from, q.to, func(e *happening) bool { return q.group(e) == group })
		if !shown[group] && len(shown) > 0 && size(total) > least {
			return fmt.Errorf("%s has %s and is not shown", group, show(total))
		}
	}
	return nil
}

func canonical(raw json.RawMessage) string {
	var v []object
	_ = json.Unmarshal(raw, &v)
	text, _ := json.Marshal(v)
	return string(text)
}

// behind checks that the people behind a random number are those whose events were measured.
func (r *reference) behind(random *rand.Rand, x *apptest.Tenant, q *trendsAsked, a *trendsAnswer) error {
	i := random.IntN(len(q.lines))
	l, bounds := &q.lines[i], q.bounds()
	from, to, at := q.from, q.to, object{"series": i}
	number := a.Series[i].Total
	row := -1
	if random.IntN(3) > 0 {
		row = random.IntN(len(bounds) - 1)
		from, to = r.reach(q, l, bounds, row)
		at["row"], number = row, a.Series[i].Values[row]
	}
	pass := func(*happening) bool { return true }
	if len(a.Groups) > 0 && random.IntN(4) > 0 {
		shown := map[string]bool{}
		for _, g := range a.Groups {
			shown[canonical(g.Values)] = !g.Other
		}
		g := a.Groups[random.IntN(len(a.Groups))]
		at["groups"] = g.Values
		pass = func(e *happening) bool { return q.group(e) == canonical(g.Values) }
		if g.Other {
			delete(at, "groups")
			at["other"] = true
			pass = func(e *happening) bool { return !shown[q.group(e)] }
		}
		if number = g.Series[i].Total; row >= 0 {
			number = g.Series[i].Values[row]
		}
	}
	_, want := r.measure(q, l, from, to, pass)
	question := q.body()
	question["kind"], question["as_of"] = "trends", a.Meta.AsOf
	var got struct {
		Items []struct{ Person string }
		Total int
	}
	x.Do("POST", "/v1/insights/people", object{"project_id": x.ProjectID, "question": question, "at": at, "limit": 1000}).Want(200).JSON(&got)
	var people []string
	for _, p := range got.Items {
		people = append(people, p.Person)
	}
	slices.Sort(people)
	if !slices.Equal(people, want) || got.Total != len(want) {
		return fmt.Errorf("people behind %v of %+v: %q, want %q", at, *l, people, want)
	}
	if l.measure == "users" && int(*number) != len(want) {
		return fmt.Errorf("%v people behind %s", len(want), show(number))
	}
	return nil
}

// Every measure, breakdown and bucket is what a reading of all events says, and so are the people behind it.
func TestTrendsAreThoseOfABruteForceReading(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	const seed, streams, questions = 20261130, 3, 50
	t.Logf("seed %d", seed)
	start := a.Clock.Now().Add(-14 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	for n := range uint64(streams) {
		random := rand.New(rand.NewPCG(seed, n))
		x := a.Tenant(t)
		events := happenings(random, start, 150+random.IntN(200))
		send(x, events)
		r := newReference(events)
		r.describe(random, x)
		for k := range questions {
			q := randomTrends(random, start)
			q.of = r
			body := q.body()
			body["project_id"] = x.ProjectID
			var answer trendsAnswer
			x.Do("POST", "/v1/insights/trends", body).Want(200).JSON(&answer)
			err := r.check(q, &answer)
			if err == nil {
				err = r.behind(random, x, q, &answer)
			}
			if err != nil {
				text, _ := json.Marshal(body)
				t.Fatalf("stream %d, question %d: %v\n%s", n, k, err, text)
			}
			if answer.Meta.Definition == "" {
				t.Fatalf("meta %+v", answer.Meta)
			}
		}
	}
}

func send(x *apptest.Tenant, events []happening) {
	for some := range slices.Chunk(events, 1000) {
		var batch []apptest.Event
		for i := range some {
			e := apptest.Event{"name": some[i].name, "ts": some[i].ts.Format(time.RFC3339), "props": some[i].props}
			if some[i].user != "" {
				e["user_id"] = some[i].user
			}
			if some[i].anonymous != "" {
				e["anonymous_id"] = some[i].anonymous
			}
			batch = append(batch, e)
		}
		x.Ingest(batch...)
	}
}

// What must hold of the numbers of an answer, whatever the events are.
func TestNumbersOfTrendsAgreeWithEachOther(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	random := rand.New(rand.NewPCG(20261130, 99))
	start := a.Clock.Now().Add(-14 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	send(x, happenings(random, start, 400))
	var got trendsAnswer
	x.Do("POST", "/v1/insights/trends", object{"project_id": x.ProjectID, "bucket": "1d", "top": 2,
		"from": start.Format(time.RFC3339), "to": start.Add(12 * 24 * time.Hour).Format(time.RFC3339),
		"breakdown": []any{object{"prop": "plan"}}, "formulas": []any{object{"expression": "B / D"}, object{"expression": "A / (A - A)"}},
		"series": []any{
			object{"measure": "count"}, object{"measure": "users"}, object{"measure": "users", "rolling_days": 7},
			object{"measure": "users", "rolling_days": 30}, object{"measure": "users", "cumulative": true},
			object{"measure": "count", "cumulative": true}, object{"measure": "users", "rolling_days": 1}}}).Want(200).JSON(&got)
	values := func(i int) []*float64 { return got.Series[i].Values }
	for d := range got.Starts {
		day, week, month := *values(1)[d], *values(2)[d], *values(3)[d]
		if day > week || week > month {
			t.Errorf("day %d: %v of the day, %v of the week, %v of the month", d, day, week, month)
		}
		if *values(6)[d] != day {
			t.Errorf("day %d: %v people of the last day, %v of the day", d, *values(6)[d], day)
		}
		if want := day / month; month > 0 && *got.Formulas[0].Values[d] != want {
			t.Errorf("day %d: stickiness %v, want %v", d, *got.Formulas[0].Values[d], want)
		}
		if got.Formulas[1].Values[d] != nil {
			t.Errorf("day %d: a division by nothing is %v", d, *got.Formulas[1].Values[d])
		}
		if d > 0 && (*values(4)[d] < *values(4)[d-1] || *values(5)[d] < *values(5)[d-1]) {
			t.Errorf("day %d: there are fewer so far than the day before", d)
		}
		events := 0.0
		for _, g := range got.Groups {
			events += *g.Series[0].Values[d]
			if *g.Series[1].Values[d] > day {
				t.Errorf("day %d: more people in a group than in all", d)
			}
		}
		if events != *values(0)[d] {
			t.Errorf("day %d: the groups have %v events of %v", d, events, *values(0)[d])
		}
	}
	last := len(got.Starts) - 1
	if *values(4)[last] != *got.Series[1].Total || *values(5)[last] != *got.Series[0].Total {
		t.Error("what there is so far at the end is not the total")
	}
}

// A breakdown by very many values is answered, although their buckets do not fit into the memory of a question.
func TestABreakdownMayHaveTenThousandValues(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	const values = 10_000
	start := a.Clock.Now().Add(-29 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	var events []happening
	for i := range values + 20 { // the first 20 have two each
		events = append(events, happening{name: "e", user: fmt.Sprint("u", i%values), ts: start.Add(time.Duration(i) * time.Minute),
			props: object{"page": fmt.Sprintf("/%05d", i%values)}})
	}
	send(x, events)
	body := object{"project_id": x.ProjectID, "bucket": "1h", "top": 30, "breakdown": []any{object{"prop": "page"}},
		"from": start.Format(time.RFC3339), "to": start.Add(28 * 24 * time.Hour).Format(time.RFC3339)}
	for _, series := range [][]any{{object{}}, {object{"measure": "users"}}, {object{"first_time": true}}, {object{"measure": "users", "cumulative": true}}} {
		body["series"] = series
		var got trendsAnswer
		x.Do("POST", "/v1/insights/trends", body).Want(200).JSON(&got)
		least, most := 1.0, 1.0
		if fmt.Sprint(series) == "[map[]]" {
			most = 2
		}
		if len(got.Groups) != 31 || !got.Groups[30].Other || *got.Groups[0].Series[0].Total != most || *got.Groups[29].Series[0].Total != least {
			t.Fatalf("%v: %d groups", series, len(got.Groups))
		}
		if rest := *got.Groups[30].Series[0].Total; rest != values-30 {
			t.Errorf("%v: the rest has %v", series, rest)
		}
	}
	var m metricsReply
	x.Do("POST", "/v1/metrics/query", object{"project_id": x.ProjectID, "bucket": "1h", "breakdown": "prop", "breakdown_prop": "page", "top": 30,
		"from": body["from"], "to": body["to"]}).Want(200).JSON(&m)
	if len(m.Groups) != 31 || *m.Groups[0].Total != 2 || *m.Groups[0].Value != "/00000" || *m.Groups[30].Total != values-30 {
		t.Errorf("metrics: %d groups, of %s", len(m.Groups), m.Meta.Source)
	}
}

// Trends of some people are those of a stream that only they are in, and so are the groups of a breakdown by cohorts.
func TestTrendsOfSomePeopleAreThoseOfTheirEventsAlone(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, alone := a.Tenant(t), a.Tenant(t)
	random := rand.New(rand.NewPCG(20261130, 7))
	start := a.Clock.Now().Add(-14 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	events := happenings(random, start, 400)
	send(x, events)
	r := newReference(events)
	chosen := map[string]bool{}
	for i := range events {
		if e := &events[i]; e.name == "e1" && e.props["$bot"] != true && e.props["plan"] == "pro" {
			chosen[r.person(e)] = true
		}
	}
	delete(chosen, "")
	var theirs []happening
	for i := range events {
		if p := r.person(&events[i]); chosen[p] {
			theirs = append(theirs, events[i])
		}
	}
	send(alone, theirs)
	where := object{"op": "did", "event": "e1", "filter": object{"op": "eq", "prop": "plan", "value": "pro"}}
	id := liveCohort(x, "Pros", where)
	for i := range 40 {
		q := randomTrends(random, start)
		ask := func(of *apptest.Tenant, change func(object)) *trendsAnswer {
			body := q.body()
			body["project_id"] = of.ProjectID
			change(body)
			var answer trendsAnswer
			of.Do("POST", "/v1/insights/trends", body).Want(200).JSON(&answer)
			return &answer
		}
		q.by = slices.DeleteFunc(q.by, func(by object) bool { return by["by"] == "profile" }) // the other project has no profiles
		want := ask(alone, func(object) {})
		got := ask(x, func(body object) { body["people"] = where })
		compare := func(what string, got, want []trendsLine) {
			for k := range want {
				if got[k].String() != want[k].String() {
					t.Fatalf("question %d, %s, series %d, %+v:\n got %s\nwant %s", i, what, k, q.lines[k], got[k].String(), want[k].String())
				}
			}
		}
		compare("all", got.Series, want.Series)
		if len(got.Groups) != len(want.Groups) || !strings.Contains(got.Meta.Definition, "are considered") {
			t.Fatalf("question %d: %d groups, want %d; %s", i, len(got.Groups), len(want.Groups), got.Meta.Definition)
		}
		for k := range want.Groups {
			compare(string(want.Groups[k].Values), got.Groups[k].Series, want.Groups[k].Series)
		}
		cohorts := ask(x, func(body object) { body["breakdown"] = []any{object{"by": "cohorts", "cohorts": []any{"Pros"}}} })
		if len(cohorts.Groups) != 1 || canonical(cohorts.Groups[0].Values) != fmt.Sprintf(`[{"cohort":"Pros","value":%q}]`, id) {
			t.Fatalf("question %d: groups %+v", i, cohorts.Groups)
		}
		compare("the cohort", cohorts.Groups[0].Series, want.Series)
		if i > 8 {
			continue
		}
		question := q.body()
		question["kind"], question["as_of"] = "trends", cohorts.Meta.AsOf
		question["breakdown"] = []any{object{"by": "cohorts", "cohorts": []any{"Pros"}}}
		var behind struct{ Items []struct{ Person string } }
		x.Do("POST", "/v1/insights/people", object{"project_id": x.ProjectID, "question": question, "limit": 1000,
			"at": object{"series": 0, "groups": []any{object{"value": id}}}}).Want(200).JSON(&behind)
		_, people := newReference(theirs).measure(q, &q.lines[0], q.from, q.to, func(*happening) bool { return true })
		if len(behind.Items) != len(people) {
			t.Errorf("question %d: %d people behind the cohort, want %q", i, len(behind.Items), people)
		}
	}
}
