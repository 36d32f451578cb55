package answers

import (
	"context"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/events"
)

// countGroups makes the question count groups of a type in place of people.
func (r *resolver) countGroups(kind *string) {
	if kind != nil {
		r.query.Groups = scan.NewGroups(*kind)
	}
}

// groupWords says in a definition what is counted in place of people.
func (r *resolver) groupWords() string {
	if r.query.Groups == nil {
		return ""
	}
	return " Groups of the type " + r.query.Groups.Type + " are counted in place of people: what anybody did in a group, the group did, " +
		"and an event of no group does not count."
}

// cohortsOfGroups runs the question once for each cohort that the answer is broken down by, of the groups in which its people did
// something: a group is in no cohort.
func (o *reading[T]) cohortsOfGroups(ctx context.Context, v *behaviour.View, sets []*behaviour.Set, ok func(*behaviour.Person) bool) ([]T, error) {
	list := make([]T, len(sets))
	for i, set := range sets {
		q := o.query
		if q.Only != nil {
			set.Intersect(q.Only)
		}
		q.Only = set
		op, err := pass(ctx, v, &q, &o.outcome, o.fresh, ok)
		if err != nil {
			return nil, err
		}
		list[i] = op
	}
	return list, nil
}

// groupKeys names groups as people are named.
func groupKeys(groups *scan.Groups, members []behaviour.Member) []named {
	out := make([]named, len(members))
	for i, m := range members {
		out[i] = named{m, behaviour.PersonKey{Kind: behaviour.PersonKind(events.Group), Key: groups.Key(m.No)}}
	}
	return out
}
