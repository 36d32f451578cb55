package people

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

const (
	// eraseStep is how many moments of somebody one transaction deletes: few enough that nobody waits long for the counts it locks.
	eraseStep = 1_000
	// eraseAtOnce is how many are deleted before the answer to the request, and eraseTime how long that may take. A job does the rest.
	eraseAtOnce = 5_000
	eraseTime   = 5 * time.Second
	// eraseReading bounds a statement that looks for somebody's events.
	eraseReading = time.Minute
	// everyDay is behind the last UTC day that a view has.
	everyDay = math.MaxInt32 - 1
	// maxDamaged bounds how many damaged days one look at somebody's events reads anew.
	maxDamaged = 8
)

// EraseOptions are what an Eraser has to do beside the behaviour store.
type EraseOptions struct {
	Now func() time.Time
	// Rebuild builds the parts of a UTC day anew.
	Rebuild func(ctx context.Context, project uuid.UUID, day int32) error
	// Also are called again when the erasure was cut off.
	Also []Also
}

// Also removes what others keep of these ids, and says how much that was.
type Also = func(ctx context.Context, project uuid.UUID, ids []string) (int64, error)

// Eraser erases people: their events with the counts of them, and everything that is known of them. It deletes in bounded steps, and
// what is to be erased is stored before the first of them, so that one that was cut off, by ctx or by a crash, is taken up by Round.
type Eraser struct {
	store *behaviour.Store
	o     EraseOptions
}

// NewEraser returns an Eraser.
func NewEraser(store *behaviour.Store, o EraseOptions) *Eraser { return &Eraser{store, o} }

// Erase erases the person whom a name means; of somebody who is being erased it goes on. done says whether nothing is left of him: the
// rest of one with more than a few thousand events is left to Round.
//
// Errors: problem.NotFound when nothing is known of anybody who is called so.
func (e *Eraser) Erase(ctx context.Context, project uuid.UUID, named string) (x behaviour.Erasure, done bool, err error) {
	pieces, err := e.find(ctx, project, named)
	if err != nil {
		return x, false, err
	}
	if len(pieces) == 0 {
		return e.eraseUnseen(ctx, project, candidates(named))
	}
	if x, err = e.begin(ctx, project, pieces); err != nil {
		return x, false, err
	}
	brief, cancel := context.WithTimeout(ctx, eraseTime)
	defer cancel()
	done, err = e.run(brief, &x, eraseAtOnce)
	if err != nil && ctx.Err() == nil && (brief.Err() != nil || errors.Is(err, behaviour.ErrBehind)) {
		err = nil // the job goes on
	}
	return x, done, err
}

// find returns what makes the person whom a name means; nothing when nobody is called so.
func (e *Eraser) find(ctx context.Context, project uuid.UUID, named string) (pieces []behaviour.Piece, err error) {
	err = e.store.View(ctx, project, 0, everyDay, eraseReading, nil, func(v *behaviour.View) error {
		id := v.Identity(0)
		somebody, found, err := Find(ctx, v, id, named)
		if err == nil && found {
			pieces = id.Pieces(somebody.No, somebody.Keys)
		}
		return err
	})
	if errors.Is(err, behaviour.ErrBehind) {
		err = problem.Wrap(err, problem.CodeQueryTooHeavy, "Too many events are not ready for questions about people yet: ask again in a minute.")
	}
	return pieces, err
}

// begin stores whom to erase, unless he is being erased already.
func (e *Eraser) begin(ctx context.Context, project uuid.UUID, pieces []behaviour.Piece) (x behaviour.Erasure, err error) {
	requested, err := e.requested(project, pieces)
	if err != nil {
		return x, err
	}
	err = e.store.Work(ctx, project, func(w *behaviour.Work) error {
		under, err := w.Erasures(ctx)
		if err != nil {
			return err
		}
		for _, x = range under {
			if covers(x.Pieces, pieces) {
				return nil
			}
		}
		x = requested
		if err := w.BeginErasure(ctx, &x); err != nil {
			return err
		}
		return e.record(ctx, w, &x)
	})
	return x, err
}

// requested is an erasure that is asked for now.
func (e *Eraser) requested(project uuid.UUID, pieces []behaviour.Piece) (behaviour.Erasure, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return behaviour.Erasure{}, fmt.Errorf("make an id: %w", err)
	}
	return behaviour.Erasure{ProjectID: project, ID: id, RequestedAt: e.o.Now().UTC().Truncate(time.Microsecond), Pieces: pieces}, nil
}

// record says in the audit log that somebody is erased, and not who: it is kept for ever.
func (e *Eraser) record(ctx context.Context, w *behaviour.Work, x *behaviour.Erasure) error {
	return audit.Record(ctx, w.Tx(), audit.Entry{ProjectID: x.ProjectID, Action: audit.PersonErase, Target: x.ID.String()})
}

// covers says whether all of some pieces are among others.
func covers(all, some []behaviour.Piece) bool {
	for _, p := range some {
		if !slices.ContainsFunc(all, func(o behaviour.Piece) bool { return o.Key == p.Key && o.Before == p.Before }) {
			return false
		}
	}
	return true
}

// eraseUnseen erases ids that came with no event and no operation: somebody may be in a list or in quarantine all the same.
func (e *Eraser) eraseUnseen(
	ctx context.Context, project uuid.UUID, keys []behaviour.PersonKey,
) (x behaviour.Erasure, done bool, err error) {
	removed, err := e.also(ctx, project, keys)
	if err != nil {
		return x, false, err
	}
	if x, err = e.requested(project, nil); err != nil {
		return x, false, err
	}
	err = e.store.Work(ctx, project, func(w *behaviour.Work) error {
		for _, k := range keys {
			lists, err := w.Unlist(ctx, k)
			if err != nil {
				return err
			}
			removed += int64(lists)
		}
		if removed == 0 {
			return problem.NotFound()
		}
		return e.record(ctx, w, &x)
	})
	return x, err == nil, err
}

func (e *Eraser) also(ctx context.Context, project uuid.UUID, keys []behaviour.PersonKey) (removed int64, err error) {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.Key
	}
	for _, remove := range e.o.Also {
		n, err := remove(ctx, project, ids)
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

// Round goes on with everybody who is being erased. It goes on with the next when one fails, and returns all errors.
func (e *Eraser) Round(ctx context.Context) error {
	return behaviour.EachProject(ctx, e.store.NextErasing, func(ctx context.Context, project uuid.UUID) error {
		under, err := e.store.Erasures(ctx, project)
		errs := []error{err}
		for i := range under {
			if _, err := e.run(ctx, &under[i], math.MaxInt); err != nil {
				errs = append(errs, fmt.Errorf("erase %s of project %s: %w", under[i].ID, project, err))
			}
			if ctx.Err() != nil {
				break
			}
		}
		return errors.Join(errs...)
	})
}

// rounds is how often one call looks whether more was sent of somebody while he was erased. Who never stops is not erased in one.
const rounds = 10

// run deletes somebody's events, at most so many, and forgets him once there are none.
func (e *Eraser) run(ctx context.Context, x *behaviour.Erasure, most int) (done bool, err error) {
	for range rounds {
		moments, err := e.moments(ctx, x)
		if err != nil {
			return false, err
		}
		for chunk := range slices.Chunk(moments, eraseStep) {
			if most -= len(chunk); most < 0 {
				return false, nil
			}
			deleted, err := e.store.EraseEvents(ctx, x, chunk)
			if err != nil {
				return false, err
			}
			x.Events += deleted
		}
		if err := e.rebuild(ctx, x.ProjectID); err != nil {
			return false, err
		}
		if done, err = e.end(ctx, x); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// rebuild builds the days that are dirty anew: until then the catalogue has values of theirs.
func (e *Eraser) rebuild(ctx context.Context, project uuid.UUID) error {
	days, err := e.store.Dirty(ctx, project)
	if err != nil {
		return err
	}
	for _, day := range days {
		if err := e.o.Rebuild(ctx, project, day); err != nil {
			return err
		}
	}
	return nil
}

// end forgets somebody, unless there are events of his again. No one builds parts meanwhile: none can have the number that he had.
func (e *Eraser) end(ctx context.Context, x *behaviour.Erasure) (done bool, err error) {
	ids := make([]behaviour.PersonKey, 0, len(x.Pieces))
	for _, p := range x.Pieces {
		if p.Split == nil || !p.Before {
			ids = append(ids, p.Key)
		}
	}
	if _, err := e.also(ctx, x.ProjectID, ids); err != nil {
		return false, err
	}
	err = e.store.Work(ctx, x.ProjectID, func(w *behaviour.Work) error {
		var left []int64
		err := w.View(ctx, 0, everyDay, nil, func(v *behaviour.View) (err error) {
			left, err = momentsIn(ctx, v, x.Pieces)
			return err
		})
		if err != nil || len(left) > 0 {
			return err
		}
		done = true
		return w.EndErasure(ctx, x)
	})
	return done && err == nil, err
}

// moments returns when somebody did something: of very many events some, and none only when there are none.
func (e *Eraser) moments(ctx context.Context, x *behaviour.Erasure) (moments []int64, err error) {
	for range maxDamaged {
		day := int32(-1)
		err = e.store.View(ctx, x.ProjectID, 0, everyDay, eraseReading, nil, func(v *behaviour.View) (err error) {
			moments, err = momentsIn(ctx, v, x.Pieces)
			var damaged *scan.DamagedPart
			if errors.As(err, &damaged) {
				day = v.Day(damaged.Part)
			}
			return err
		})
		if day < 0 {
			return moments, err
		}
		if err := e.store.MarkDirty(ctx, x.ProjectID, []int32{day}); err != nil {
			return nil, err
		}
	}
	return nil, err
}

// momentsIn is Moments of as much as may be held at once: what is deleted need not all be known before.
func momentsIn(ctx context.Context, v *behaviour.View, pieces []behaviour.Piece) ([]int64, error) {
	from, to := int64(0), maxTS(v)
	for {
		moments, err := Moments(ctx, v, pieces, from, to)
		switch half := from + (to-from)/2; {
		case err == nil && len(moments) == 0 && to < maxTS(v):
			from, to = to, maxTS(v)
		case errors.Is(err, scan.ErrTooLarge) && half > from:
			to = half
		default:
			return moments, err
		}
	}
}

// maxTS is behind the last event of a view.
func maxTS(v *behaviour.View) (to int64) {
	for _, h := range v.Headers {
		to = max(to, h.MaxTS+1)
	}
	return to
}

// Moments returns when somebody did something from one time to before another, all in microseconds since 1970: in order, each once.
//
// Errors: those of scan.People.
func Moments(ctx context.Context, v *behaviour.View, pieces []behaviour.Piece, from, to int64) (moments []int64, err error) {
	numbers := make(map[behaviour.PersonKey]uint32, len(pieces))
	for _, p := range pieces {
		no, found, err := v.Find(ctx, p.Key)
		if err != nil {
			return nil, err
		}
		if found {
			numbers[p.Key] = no
		}
	}
	if len(numbers) == 0 || from >= to {
		return nil, nil
	}
	q := scan.Query{From: from, To: to}
	q.Identity, q.Only = behaviour.Alone(pieces, numbers)
	err = scan.People(ctx, &q, v.Headers, v, func(p *behaviour.Person) error {
		for i := range p.Rows {
			moments = append(moments, p.Rows[i].TS)
		}
		return nil
	})
	return slices.Compact(moments), err
}
