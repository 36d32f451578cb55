package scan

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/events"
)

// Groups makes a scan hand on groups, such as companies, in place of people: an event is that of the group that it names, whoever did
// it, and an event of no group is left out. Groups have numbers within the question.
type Groups struct {
	// Type is the type of the groups, and the prop with the key of an event's group. Events without it may have the key in the
	// object groupsProp, under the type.
	Type string
	keys Dictionary
}

// groupsProp is the prop in which some SDKs send the groups of all types.
const groupsProp = "$groups"

// NewGroups returns the groups of a type.
func NewGroups(kind string) *Groups {
	g := &Groups{Type: kind}
	g.keys.As = g.key
	return g
}

// key makes the key of a group of a value of one of the props: a text or a number, in an object that of the type. Keys that
// many clients send when they have none name no group.
func (g *Groups) key(v parts.Value) parts.Value {
	if v.Kind == parts.JSON {
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(v.Text), &object) != nil || object[g.Type] == nil {
			return parts.Value{}
		}
		member, err := ScalarValue(object[g.Type])
		if err != nil {
			return parts.Value{}
		}
		v = member
	}
	if v.Kind != parts.String && v.Kind != parts.Number || events.Junk(v.Text) {
		return parts.Value{}
	}
	return parts.Value{Kind: parts.String, Text: v.Text}
}

// Key returns the key of the group with a number.
func (g *Groups) Key(no uint32) string { return g.keys.Value(no).Text }

// Number returns the number of the group with a key, a new one when no event that was read is of it; 0 when the key names no group.
func (g *Groups) Number(key string) uint32 {
	return g.keys.Code(parts.Value{Kind: parts.String, Text: key})
}

// last is the highest number of a group that is known.
func (g *Groups) last() uint64 { return uint64(g.keys.Len() - 1) }

// props appends the props that say in which group an event is.
func (g *Groups) props(to []string) []string {
	if g == nil {
		return to
	}
	for _, name := range []string{g.Type, groupsProp} {
		if !slices.Contains(to, name) {
			to = append(to, name)
		}
	}
	return to
}

// number gives all groups numbers that chunks name, so that they can be shared out before anybody is put together.
func (p *plan) number(ctx context.Context, source Source, refs []ref) error {
	if p.Groups == nil {
		return nil
	}
	r := reader{plan: p, source: source, columns: func(columns []int, h *parts.Header, _ *parts.Chunk) ([]int, error) {
		return propColumns(columns, h, p.Groups.props(nil)), nil
	}}
	return r.each(ctx, refs, func(c *chunk) error {
		_, err := c.grouped()
		return err
	})
}

// grouped returns the number of the group of each row, 0 where there is none.
func (c *chunk) grouped() ([]uint32, error) {
	r, g := c.reader, c.reader.plan.Groups
	r.groups = sizedTo(r.groups, c.info.Rows)
	clear(r.groups)
	for _, name := range g.props(nil) {
		if k := c.header.Prop(name); k < 0 || len(c.data[k]) == 0 {
			continue
		}
		p, err := c.prop(name)
		if err != nil {
			return nil, err
		}
		r.codes, r.table = g.keys.encode(p, r.codes, r.table)
		for i, code := range r.codes {
			if r.groups[i] == 0 {
				r.groups[i] = code
			}
		}
	}
	return r.groups, nil
}

// actors returns the number of the group of each row, 0 also where the person who did it is not considered.
func (c *chunk) actors() ([]uint32, error) {
	if c.acted {
		return c.reader.groups, nil
	}
	groups, err := c.grouped()
	if err != nil {
		return nil, err
	}
	c.acted = true
	only := c.reader.plan.Only
	if only == nil {
		return groups, nil
	}
	persons, err := c.identified()
	if err != nil {
		return nil, err
	}
	for i, no := range persons {
		if no == 0 || !only.Has(no) {
			groups[i] = 0
		}
	}
	return groups, nil
}

// chooseGroups puts the rows of groups in the range into selected, by group: a chunk has them by person.
func (g *gatherer) chooseGroups(groups []uint32, kept rowSet, r people) {
	g.selected, g.moved, g.adjacent = g.selected[:0], g.moved[:0], false
	for row, no := range groups {
		if r.has(no) && (kept == nil || kept.has(row)) {
			g.selected = append(g.selected, uint32(row))
		}
	}
	span := r.hi - r.lo
	if span > uint64(4*len(g.selected)+1024) {
		slices.SortStableFunc(g.selected, func(x, y uint32) int { return compare(uint64(groups[x]), uint64(groups[y])) })
		return
	}
	g.counts = sizedTo(g.counts, int(span)+1)
	clear(g.counts)
	for _, row := range g.selected {
		g.counts[uint64(groups[row])-r.lo+1]++
	}
	for i := range span {
		g.counts[i+1] += g.counts[i]
	}
	g.sorted = sizedTo(g.sorted, len(g.selected))
	for _, row := range g.selected {
		at := &g.counts[uint64(groups[row])-r.lo]
		g.sorted[*at] = row
		*at++
	}
	g.selected, g.sorted = g.sorted, g.selected
}

// groupRanges cuts all groups into at least so many ranges, none with more rows than most if all groups had as many.
func (p *plan) groupRanges(rows int64, least int, most int64) []people {
	n := uint64(max(int64(least), rows/max(most, 1)+1))
	lo, end := uint64(1), p.Groups.last()+1
	var out []people
	for i := range n {
		if hi := 1 + (end-1)*(i+1)/n; hi > lo {
			out = append(out, people{lo, hi})
			lo = hi
		}
	}
	return out
}
