package turns

import (
	"context"
	"sync"
)

// Lanes keeps heavy questions, which read many events, from using up the slots of quick ones: a question begins in
// the quick lane, and the code that finds it heavy calls [Heavy].
type Lanes struct{ Quick, Heavy *Pool }

// Enter takes a slot of the quick lane for the caller. The returned context carries the question; leave releases the
// slot that the question has by then, in either lane, and must be called once.
//
// Errors: those of [Pool.Take].
func (l *Lanes) Enter(ctx context.Context, caller string) (_ context.Context, leave func(), err error) {
	quick, err := l.Quick.Take(ctx, false, caller)
	if err != nil {
		return nil, nil, err
	}
	q := &question{heavy: l.Heavy, caller: caller, leave: quick}
	return context.WithValue(ctx, questionKey{}, q), q.end, nil
}

type questionKey struct{}

// question holds the slot of a question.
type question struct {
	heavy  *Pool
	caller string

	mu    sync.Mutex
	leave func() // nil without a slot
	moved bool
}

func (q *question) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.leave != nil {
		q.leave()
		q.leave = nil
	}
}

// Heavy moves the question of the context to the heavy lane, where slots are shared by project and by caller. It
// releases the quick slot first: a question that waits must not hold one. A context without a question, as in a
// command, needs no slot.
//
// Errors: those of [Pool.Take].
func Heavy(ctx context.Context, project string) error {
	q, ok := ctx.Value(questionKey{}).(*question)
	if !ok {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.moved {
		return nil
	}
	if q.leave != nil {
		q.leave()
		q.leave = nil
	}
	leave, err := q.heavy.Take(ctx, false, project, q.caller)
	if err != nil {
		return err
	}
	q.leave, q.moved = leave, true
	return nil
}
