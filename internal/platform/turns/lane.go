package turns

import (
	"context"
	"sync"
)

// Lanes keeps questions that read much from using up the slots of those that take milliseconds: a question begins in the quick
// lane, and whoever finds that it must read much calls [Heavy].
type Lanes struct{ Quick, Heavy *Pool }

// Enter takes a slot of the quick lane for the caller. The context it returns is the question's; leave gives back whichever slot
// the question has then, and must be called once.
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

// question is the slot that a question has.
type question struct {
	heavy  *Pool
	caller string

	mu    sync.Mutex
	leave func() // nil while it has none
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

// Heavy moves the question of the context to the heavy lane, where slots are shared by project and by caller. It gives the quick
// slot back first: a question that waits must not keep one. A context that has no question, as of a command, is let through.
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
