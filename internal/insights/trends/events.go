package trends

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/platform/turns"
)

// eventsSource answers every question from the events themselves.
type eventsSource struct {
	limits query.Limits
}

// Name is that of the contract.
func (eventsSource) Name() string { return "events" }

// Has is always true.
func (eventsSource) Has(*Question) bool { return true }

// Fill waits for a slot among the questions that read events, refuses what would read too many, and reads the rest in one
// snapshot.
func (s eventsSource) Fill(ctx context.Context, pool *pgxpool.Pool, projectID uuid.UUID, ask *Question, a *Answer) error {
	if err := turns.Heavy(ctx, projectID.String()); err != nil {
		return fmt.Errorf("take a turn: %w", err)
	}
	q := &question{projectID: projectID, bounds: make([]time.Time, len(a.Bounds)), names: distinct(ask.Names), props: ask.Props,
		filter: ask.Filter, measure: a.Measure, prop: ask.Prop, breakdown: ask.Breakdown, breakdownProp: ask.BreakdownProp}
	for i, sec := range a.Bounds {
		q.bounds[i] = time.Unix(sec, 0).UTC()
	}
	if a.Measure == Users {
		var err error
		if q.aliases, err = s.aliases(ctx, pool, projectID, a.Window); err != nil {
			return err
		}
	}
	return newStore(pool, s.limits).snapshot(ctx, projectID, func(r *reader) error {
		whole := a.Whole()
		counts, err := r.series(ctx, query.Plan(whole), q.names, whole)
		if err != nil {
			return err
		}
		if err := s.limits.Afford(counts[0]); err != nil {
			return err
		}
		return a.read(ctx, r, q, ask.top())
	})
}

// aliases returns who is whom. Of a range of which too much is in no part yet, what is known of it has to do.
func (s eventsSource) aliases(ctx context.Context, pool *pgxpool.Pool, projectID uuid.UUID, w *query.Window) (aliases []behaviour.Alias, err error) {
	from, to := daysOf(w)
	views := query.Views{Store: behaviour.NewStore(pool), Timeout: s.limits.Timeout}
	read := func(v *behaviour.View) error {
		aliases, err = v.Aliases(ctx)
		return err
	}
	if err = views.View(ctx, projectID, from, to, read); errors.Is(err, behaviour.ErrBehind) {
		err = views.View(ctx, projectID, 0, 0, read)
	}
	if errors.Is(err, behaviour.ErrBehind) {
		return nil, problem.Wrap(err, problem.CodeQueryTooHeavy, "Too many events arrived that are not ready for questions about people yet: "+
			"ask again in a minute.")
	}
	return aliases, err
}

// read fills in the numbers, of at most so many groups.
func (a *Answer) read(ctx context.Context, r *reader, q *question, limit int) error {
	all := a.blank(nil, false)
	groups := []Group{a.blank(nil, true)} // the rest first, as its number is
	group := func(i int) *Group {
		for len(groups) <= i {
			groups = append(groups, a.blank(nil, false))
		}
		return &groups[i]
	}
	var unreadable error
	hasRest := false
	err := r.measures(ctx, q, limit, func(bucket, i int, measure, value *string) {
		to := &all
		if i != allGroups {
			to = group(i)
			hasRest = hasRest || i == restGroup
		}
		if bucket == groupValue {
			to.Value = value
			return
		}
		if measure == nil {
			return
		}
		v, err := number(*measure)
		if err != nil {
			unreadable = err
		}
		if bucket == wholeRange {
			to.Total = v
		} else {
			to.Series[bucket-1] = v
		}
	})
	if err = errors.Join(err, unreadable); err != nil {
		return err
	}
	a.Total, a.Series, a.Groups = all.Total, all.Series, groups[1:]
	if hasRest {
		a.Groups = append(a.Groups, groups[restGroup])
	}
	return nil
}
