package answers

import (
	"context"
	"encoding/json"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/people"
)

// profileClauses are the clauses and the breakdowns of a question that are about profiles.
type profileClauses struct {
	all    behaviour.Set // who has a profile; filled with the others
	names  []string      // of the properties that the clauses read
	list   []*profileClause
	given  []*scan.Dictionary        // of breakdowns, which are given the values
	groups *scan.Groups              // whose values they are; nil: people's
	made   map[string]*profileClause // by filter: the size of a cohort over time asks the same at each moment

	reader *people.Reader // of the view that the sets were filled from
}

type profileClause struct {
	fits  func(value func(prop string) parts.Value) bool
	empty bool // it fits those who have no profile, too
	set   behaviour.Set
}

// clause returns a clause that is true of those whose profile fits the filter. Nothing is known of somebody without a profile, and
// that may fit, too: then the set is of those who do not fit.
func (c *profileClauses) clause(filter *scan.Filter) cohorts.Clause {
	if filter == nil {
		return cohorts.Clause{} // it was refused
	}
	text, _ := json.Marshal(filter) //nolint:errchkjson // names, and values that were JSON
	clause := c.made[string(text)]
	if clause == nil {
		clause = c.make(filter)
		if c.made == nil {
			c.made = map[string]*profileClause{}
		}
		c.made[string(text)] = clause
	}
	in := cohorts.Clause{Op: cohorts.In, Set: &clause.set, Label: "have a profile that fits"}
	if clause.empty {
		in.Label = "have a profile that does not fit"
		return cohorts.Clause{Op: cohorts.Not, Clauses: []cohorts.Clause{in}}
	}
	return in
}

func (c *profileClauses) make(filter *scan.Filter) *profileClause {
	clause := &profileClause{fits: filter.Fits()}
	clause.empty = clause.fits(func(string) parts.Value { return parts.Value{} })
	c.list = append(c.list, clause)
	c.names = filter.AppendProps(c.names)
	return clause
}

// give has the values of a property of people's profiles, or of those of the groups that are counted, given to a dictionary.
func (r *resolver) give(d *scan.Dictionary) {
	if r.profiles == nil {
		r.profiles = &profileClauses{}
	}
	d.ByPerson, r.profiles.groups = true, r.query.Groups
	r.profiles.given, r.profiles.names = append(r.profiles.given, d), append(r.profiles.names, d.Prop)
}

// fill finds who is in the sets, and gives the dictionaries their values, as of a moment. A question that counts groups has no sets:
// whom it considers is another resolver's.
func (c *profileClauses) fill(ctx context.Context, v *behaviour.View, id *behaviour.Identity, asOf int64) error {
	at := make(map[string]int, len(c.names))
	for i, name := range c.names {
		at[name] = i
	}
	for _, d := range c.given {
		d.Forget()
	}
	give := func(to uint32, values []parts.Value) {
		for _, d := range c.given {
			d.Give(to, values[at[d.Prop]])
		}
	}
	if c.groups != nil {
		return people.GroupValues(ctx, v, c.groups.Type, asOf, c.names, func(key string, values []parts.Value) {
			if no := c.groups.Number(key); no != 0 {
				give(no, values)
			}
		})
	}
	r, err := people.NewReader(ctx, v, id, asOf)
	if err != nil {
		return err
	}
	c.reader, c.all = r, behaviour.Set{}
	for _, clause := range c.list {
		clause.set = behaviour.Set{}
	}
	return r.Each(ctx, c.names, func(person uint32, values []parts.Value) {
		c.all.Add(person)
		give(person, values)
		for _, clause := range c.list {
			if clause.fits(func(prop string) parts.Value { return values[at[prop]] }) != clause.empty {
				clause.set.Add(person)
			}
		}
	})
}
