package answers

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// page is a page of people. All pages of a question are as of the moment of the first one, so that what happens meanwhile is on
// none of them. People are in the order of their numbers; those who had none that stays when the first page was made follow, in
// the order of their ids, because they may get one meanwhile. A person may come more than once, by moment.
type page struct {
	limit int
	asOf  int64
	after *place // where the page before ended; nil on the first one
	last  *place // where this one ended; nil when nobody follows

	groups *scan.Groups // that are on it in place of people, by their keys: their numbers are the question's own; nil: people
}

// place is where a page ends.
type place struct {
	AsOf   int64  `json:"a"` // of the question, in microseconds since 1970
	Stored uint32 `json:"s"` // the highest number that stayed when the first page was made
	No     uint32 `json:"n,omitempty"`
	Kind   int16  `json:"k,omitempty"` // of who has no such number; 0: the number says who it is
	Key    string `json:"i,omitempty"`
	At     int64  `json:"t"`
	Nth    int    `json:"c"` // how many of the same person and moment there were
}

// named is a person behind a number, with what events call him.
type named struct {
	behaviour.Member
	key behaviour.PersonKey
}

var cursorEncoding = base64.RawURLEncoding.Strict()

// page reads where a page begins. Its moment is that of the first page.
func (a *API) page(cursor *string, limit int) (*page, error) {
	p := &page{limit: limit}
	if cursor == nil {
		return p, nil
	}
	text, err := cursorEncoding.DecodeString(*cursor)
	if err == nil {
		err = json.Unmarshal(text, &p.after)
	}
	if err != nil || p.after == nil || p.after.AsOf <= 0 || p.after.AsOf > math.MaxInt64/2 || p.after.Nth < 1 {
		return nil, badCursor()
	}
	a.now = time.UnixMicro(p.after.AsOf)
	return p, nil
}

func badCursor() error {
	return problem.Field(contract.InBody, "/cursor", "cursor", "is not the next_cursor of a page of this question")
}

// isOf refuses the cursor of a question as of another moment.
func (p *page) isOf(asOf int64) error {
	if p.after != nil && p.after.AsOf != asOf {
		return badCursor()
	}
	p.asOf = asOf
	return nil
}

// next is the cursor of the page that follows; nil when none does.
func (p *page) next() *string {
	if p.last == nil {
		return nil
	}
	text, _ := json.Marshal(p.last) //nolint:errchkjson // numbers and a string
	cursor := cursorEncoding.EncodeToString(text)
	return &cursor
}

// of returns the people of the page, of all members in the order of their numbers and moments.
func (p *page) of(ctx context.Context, v *behaviour.View, members []behaviour.Member) ([]named, error) {
	if p.limit == 0 {
		return nil, nil
	}
	begin := place{AsOf: p.asOf}
	if p.groups == nil {
		begin.Stored = v.Stored()
	}
	if p.after != nil {
		begin = *p.after
	}
	split := sort.Search(len(members), func(i int) bool { return members[i].No > begin.Stored })
	low, high := members[:split], members[split:]
	switch {
	case begin.Kind != 0:
		low = nil
	case p.after != nil:
		low = following(low, begin.Nth, func(m *behaviour.Member) int { return cmp.Or(cmp.Compare(m.No, begin.No), cmp.Compare(m.At, begin.At)) })
	}
	shown, err := p.nameAll(ctx, v, low[:min(len(low), p.limit)])
	if err != nil {
		return nil, err
	}
	left := len(low) - len(shown) + len(high)
	if len(shown) < p.limit && len(high) > 0 {
		later, err := p.nameAll(ctx, v, high)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(later, func(x, y named) int { return x.compare(int16(y.key.Kind), y.key.Key, y.At) })
		if begin.Kind != 0 {
			later = following(later, begin.Nth, func(n *named) int { return n.compare(begin.Kind, begin.Key, begin.At) })
		}
		n := min(len(later), p.limit-len(shown))
		left, shown = len(later)-n, append(shown, later[:n]...)
	}
	if left > 0 {
		p.last = begin.then(shown)
	}
	return shown, nil
}

// compare orders people without a number that stays.
func (n *named) compare(kind int16, key string, at int64) int {
	return cmp.Or(cmp.Compare(int16(n.key.Kind), kind), cmp.Compare(n.key.Key, key), cmp.Compare(n.At, at))
}

// following returns what follows the nth of those that are equal to a place; compare orders them and the place.
func following[T any](all []T, nth int, compare func(*T) int) []T {
	first := sort.Search(len(all), func(i int) bool { return compare(&all[i]) >= 0 })
	for ; nth > 0 && first < len(all) && compare(&all[first]) == 0; nth-- {
		first++
	}
	return all[first:]
}

// then is where a page ends that began behind the place.
func (b *place) then(shown []named) *place {
	last := &shown[len(shown)-1]
	out := &place{AsOf: b.AsOf, Stored: b.Stored, At: last.At}
	if last.No <= b.Stored {
		out.No = last.No
	} else {
		out.Kind, out.Key = int16(last.key.Kind), last.key.Key
	}
	first := len(shown) - 1
	for first > 0 && shown[first-1].key == last.key && shown[first-1].At == last.At {
		first--
	}
	if out.Nth = len(shown) - first; first == 0 && out.No == b.No && out.Kind == b.Kind && out.Key == b.Key && out.At == b.At {
		out.Nth += b.Nth
	}
	return out
}

// nameAll returns what events call those on the page.
func (p *page) nameAll(ctx context.Context, v *behaviour.View, members []behaviour.Member) ([]named, error) {
	if p.groups != nil {
		return groupKeys(p.groups, members), nil
	}
	return nameAll(ctx, v, members)
}

// nameAll returns what events call people.
func nameAll(ctx context.Context, v *behaviour.View, members []behaviour.Member) ([]named, error) {
	numbers := make([]uint32, len(members))
	for i, m := range members {
		numbers[i] = m.No
	}
	keys, err := v.Keys(ctx, numbers)
	if err != nil {
		return nil, err
	}
	out := make([]named, len(members))
	for i, m := range members {
		out[i] = named{m, keys[m.No]}
	}
	return out, nil
}
