package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// turns lets a bounded number of questions be answered at once, so that the database has connections left for
// everything else; and of these a smaller number for each caller, so that the others get their answers too.
type turns struct {
	each     int
	all      chan struct{}
	patience time.Duration

	mu      sync.Mutex
	callers map[string]*callerTurns
}

type callerTurns struct {
	slots chan struct{}
	users int // who hold a slot or wait for one; with the last one it goes
}

// turnPatience is how long a question waits for its turn: a dashboard asks many at once and should get them all.
const turnPatience = 5 * time.Second

// newTurns divides a pool of connections: a caller may use a quarter of them, all questions together half. A job needs two,
// and a node whose readiness found none would be taken for one without a database.
func newTurns(connections int) *turns {
	return &turns{each: max(2, connections/4), all: make(chan struct{}, max(2, connections/2)), patience: turnPatience,
		callers: make(map[string]*callerTurns)}
}

func (t *turns) limited(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		leave, err := t.take(ctx, auth.From(ctx).Subject())
		if err != nil {
			return err
		}
		defer leave()
		return next(c)
	}
}

// take waits for a turn. Errors: too_many_queries (429) when the caller has too many, busy (503) when all have.
func (t *turns) take(ctx context.Context, caller string) (leave func(), err error) {
	own := t.enter(caller)
	timer := time.NewTimer(t.patience)
	defer timer.Stop()
	select {
	case own.slots <- struct{}{}:
	case <-timer.C:
		t.exit(caller, own)
		return nil, &problem.Error{Code: problem.CodeTooManyQueries, RetryAfter: time.Second,
			Detail: "Too many of your questions are being answered at once. Ask fewer at a time."}
	case <-ctx.Done():
		t.exit(caller, own)
		return nil, ctx.Err()
	}
	leaveOwn := func() {
		<-own.slots
		t.exit(caller, own)
	}
	select {
	case t.all <- struct{}{}:
	case <-timer.C:
		leaveOwn()
		return nil, &problem.Error{Code: problem.CodeBusy, RetryAfter: time.Second,
			Detail: "Too many questions are being answered at once. Try again."}
	case <-ctx.Done():
		leaveOwn()
		return nil, ctx.Err()
	}
	return func() {
		<-t.all
		leaveOwn()
	}, nil
}

func (t *turns) enter(caller string) *callerTurns {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.callers[caller]
	if own == nil {
		own = &callerTurns{slots: make(chan struct{}, t.each)}
		t.callers[caller] = own
	}
	own.users++
	return own
}

func (t *turns) exit(caller string, own *callerTurns) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(t.callers, caller)
	}
}
