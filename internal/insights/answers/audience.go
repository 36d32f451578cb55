package answers

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Cohort is a saved cohort, as questions need it.
type Cohort struct {
	ID    uuid.UUID
	Name  string
	Where json.RawMessage // the clause, as the contract has it; nil: a list
}

// audience is whom a question considers, and the cohorts that its answer is broken down by. All of them are found in one pass over
// the people before the question's own.
type audience struct {
	resolver *resolver // of the pass
	people   bool      // the first of wheres is whom the question considers
	groups   []Cohort  // the others are who is in these
	wheres   []cohorts.Clause
	only     int // the group that is asked about, from 1; 0: all
}

// days returns the UTC days that finding the people meets; false when it needs no event.
func (a *audience) days() (from, to int32, ok bool) {
	if a == nil || a.resolver.query.From >= a.resolver.query.To {
		return 0, 0, false
	}
	from, to = days(&a.resolver.query)
	return from, to, true
}

// reads sets what the pass reads.
func (a *audience) reads(asOf int64) {
	r := cohorts.Reads(a.wheres).Clip(query.Range{From: 0, To: asOf})
	a.resolver.query.From, a.resolver.query.To = r.From, max(r.From, r.To)
	a.resolver.marked()
}

// words says it in a definition.
func (a *audience) words() string {
	if a == nil {
		return ""
	}
	text := ""
	if a.people {
		text = " Only people who " + cohorts.Words(&a.wheres[0]) + " are considered."
	}
	if len(a.groups) > 0 {
		names := make([]string, len(a.groups))
		for i, g := range a.groups {
			names[i] = g.Name
		}
		text += " The groups are the people in the cohorts " + query.List(names, "and") +
			": a person may be in several of them or in none, so they do not add up to the whole."
	}
	return text
}

// fill reads the lists of the fixed cohorts that the clauses name.
func (r *resolver) fill(ctx context.Context, v *behaviour.View, id *behaviour.Identity) error {
	for list, set := range r.lists {
		people, err := v.Listed(ctx, list, id)
		if err != nil {
			return err
		}
		*set = *people
	}
	return nil
}

// audience finds whom a question considers, nil being everybody, and who is in each group.
func (s *Service) audience(ctx context.Context, v *behaviour.View, a *audience, id *behaviour.Identity, o *outcome) (
	only *behaviour.Set, groups []*behaviour.Set, err error) {
	if a == nil {
		return nil, nil, nil
	}
	if err := a.resolver.fill(ctx, v, id); err != nil {
		return nil, nil, err
	}
	found := cohorts.NewSets(a.wheres)
	if q := a.resolver.query; q.From < q.To {
		q.Identity, q.Memory = id, s.o.Memory
		if found, err = pass(ctx, v, &q, o, func() *cohorts.Sets { return cohorts.NewSets(a.wheres) }, nil); err != nil {
			return nil, nil, err
		}
	}
	groups = found.Answer(v.Last())
	if a.people {
		only, groups = groups[0], groups[1:]
	}
	if a.only == 0 {
		return only, groups, nil
	}
	if group := groups[a.only-1]; only == nil {
		only = group
	} else {
		only.Intersect(group)
	}
	return only, nil, nil
}
