package trends

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/insights/measures"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/turns"
)

// errUnanswered says that a source cannot answer after all, and the next one is to be asked.
var errUnanswered = errors.New("this source cannot answer the question")

// workers is how many goroutines share a question.
const workers = 2

// partsSource answers from the parts of the behaviour store, which have each prop as a column.
type partsSource struct {
	limits   query.Limits
	unproven func(ctx context.Context, project uuid.UUID, days []int32)
}

// Name is that of the contract.
func (partsSource) Name() string { return "parts" }

// Has is true of what props say, and not of what is inside them.
func (partsSource) Has(q *Question) bool {
	_, ok := conditions(q)
	return ok && len(q.Prop) <= 1 && len(q.BreakdownProp) <= 1
}

// conditions is what events must fit, as a scan evaluates it; nil is anything.
func conditions(q *Question) (*scan.Filter, bool) {
	filter, ok := q.Filter.Scan()
	if !ok || q.Props == nil {
		return filter, ok
	}
	all, err := query.Holds(q.Props)
	if err != nil {
		return nil, false
	}
	if filter != nil {
		all = slices.Insert(all, 0, *filter)
	}
	return &scan.Filter{Op: scan.And, Filters: all}, true
}

// Fill measures column by column. What parts cannot answer, because there are too many values or too much is in no part yet, is for
// the next source.
func (s partsSource) Fill(ctx context.Context, pool *pgxpool.Pool, projectID uuid.UUID, q *Question, a *Answer) error {
	if err := turns.Heavy(ctx, projectID.String()); err != nil {
		return fmt.Errorf("take a turn: %w", err)
	}
	m := s.measure(q, a)
	from, to := daysOf(a.Window)
	views := query.Views{Store: behaviour.NewStore(pool), Timeout: s.limits.Timeout, Unproven: s.unproven}
	err := views.View(ctx, projectID, from, to, func(v *behaviour.View) error {
		if len(v.Unproven) > 0 {
			a.Source = eventsSource{}.Name()
		}
		m.Identity = v.Identity(0)
		return fill(ctx, v, m, q, a)
	})
	var column *scan.ErrNoColumn
	var damaged *scan.DamagedPart
	if errors.Is(err, scan.ErrTooLarge) || errors.Is(err, behaviour.ErrBehind) || errors.As(err, &column) || errors.As(err, &damaged) {
		return errUnanswered
	}
	if ctx.Err() == nil && postgres.IsStatementTimeout(err) {
		return s.limits.TooSlow(err)
	}
	return err
}

func (s partsSource) measure(q *Question, a *Answer) *scan.Measure {
	filter, _ := conditions(q)
	m := &scan.Measure{Query: scan.Query{Names: distinct(q.Names), Filter: filter}, Statistic: measures.Measure(a.Measure).Statistic(),
		Prop: member(q.Prop), Bounds: make([]int64, len(a.Bounds)), Workers: workers}
	for i, sec := range a.Bounds {
		m.Bounds[i] = sec * query.Second
	}
	m.From, m.To = m.Bounds[0], m.Bounds[len(m.Bounds)-1]
	return m
}

// member is the prop that a path of one step names.
func member(path events.Path) string {
	if len(path) == 0 {
		return ""
	}
	return path[0].Member
}

// daysOf returns the UTC days that a window meets, from one to before another.
func daysOf(w *query.Window) (from, to int32) {
	whole := w.Whole()
	return behaviour.DayAt(time.Unix(whole[0], 0)), behaviour.DayAt(time.Unix(whole[1]-1, 0)) + 1
}

// fill measures, and people of the rest of a breakdown once more: they do not add up.
func fill(ctx context.Context, v *behaviour.View, m *scan.Measure, q *Question, a *Answer) error {
	m.By = nil
	if q.Breakdown != NoBreakdown {
		d := &scan.Dictionary{ByName: q.Breakdown == ByName, Prop: member(q.BreakdownProp), As: written}
		m.By = &scan.Breakdown{By: []*scan.Dictionary{d}}
	}
	r, err := m.Run(ctx, v.Headers, v)
	if err != nil {
		return err
	}
	all := a.group(r.All, nil, false)
	a.Total, a.Series, a.Groups = all.Total, all.Series, nil
	if m.By == nil {
		return nil
	}
	d := m.By.By[0]
	shown := a.largest(r, d, q.top())
	if len(shown) < len(r.Groups) {
		if m.By.Show(shown); a.Measure != Users {
			r.Fold(shown)
		} else if r, err = m.Run(ctx, v.Headers, v); err != nil {
			return err
		}
	}
	for _, code := range shown {
		a.Groups = append(a.Groups, a.group(r.Groups[code], textOfCode(d, code), false))
	}
	if rest := r.Groups[scan.Rest]; rest != nil {
		a.Groups = append(a.Groups, a.group(rest, nil, true))
	}
	return nil
}

func textOfCode(d *scan.Dictionary, code uint32) *string {
	if code == 0 {
		return nil
	}
	text := d.Value(code).Text
	return &text
}

// group is what was measured of a group.
func (a *Answer) group(g *scan.Group, value *string, other bool) Group {
	m := measures.Measure(a.Measure)
	out := Group{Value: value, Other: other, Total: m.Of(&g.Whole), Series: make([]float64, len(g.Buckets))}
	for i := range g.Buckets {
		out.Series[i] = m.Of(&g.Buckets[i])
	}
	return out
}

// largest returns the groups with the largest measure, those of one size by the bytes of their value, the group without one last.
func (a *Answer) largest(r *scan.Result, d *scan.Dictionary, top int) []uint32 {
	codes := slices.Collect(maps.Keys(r.Groups))
	slices.SortFunc(codes, func(x, y uint32) int {
		if order := a.compare(&r.Groups[y].Whole, &r.Groups[x].Whole); order != 0 {
			return order
		}
		if x == 0 || y == 0 {
			return cmp.Compare(y, x)
		}
		return strings.Compare(d.Value(x).Text, d.Value(y).Text)
	})
	return codes[:min(len(codes), top)]
}

// compare compares the measures of two cells, exactly.
func (a *Answer) compare(x, y *scan.Cell) int {
	switch a.Measure {
	case Count, Users:
		return cmp.Compare(x.Count, y.Count)
	case Sum:
		return x.Sum.Cmp(y.Sum)
	case Min:
		return x.Min.Cmp(y.Min)
	case Max:
		return x.Max.Cmp(y.Max)
	default:
		m := measures.Measure(a.Measure)
		return cmp.Compare(m.Of(x), m.Of(y))
	}
}

// written is what an answer shows of a value: a string as it is, anything else as its JSON text, numbers in one way each.
func written(v parts.Value) parts.Value {
	switch v.Kind {
	case parts.True:
		v.Text = "true"
	case parts.False:
		v.Text = "false"
	case parts.JSON:
		v.Text = canonical(v.Text)
	default:
	}
	v.Kind = parts.String
	return v
}

// canonical writes the numbers in the text of a jsonb in one way each, as the function canonical_json does: 1.0 as 1.
func canonical(text string) string {
	var out bytes.Buffer
	for i := 0; i < len(text); {
		start := i
		switch c := text[i]; {
		case c == '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			i++
			out.WriteString(text[start:i])
		case c == '-' || c >= '0' && c <= '9':
			i = len(text) - len(strings.TrimLeft(text[i+1:], ".0123456789"))
			out.WriteString(parts.Trim(text[start:i]))
		default:
			i++
			out.WriteByte(c)
		}
	}
	return out.String()
}
