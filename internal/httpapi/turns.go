package httpapi

import (
	"errors"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/turns"
)

const (
	// turnPatience is how long a question waits for its turn: a dashboard asks many at once and should get them all.
	turnPatience = 5 * time.Second
	// waitingQuestions is how many of one caller may wait: several boards at once.
	waitingQuestions = 128
)

// newQuestions divides a pool of connections: a quarter is for questions that take milliseconds, a quarter for those that read
// much, and half is left for everything else. In each lane one caller, and of those that read much one project, may use half. A
// job needs two connections, and a node whose readiness found none would be taken for one without a database.
func newQuestions(connections int) *turns.Lanes {
	slots := max(2, connections/4)
	c := turns.Config{Slots: slots, Share: slots / 2, Waiting: waitingQuestions, Patience: turnPatience}
	return &turns.Lanes{Quick: turns.New(c), Heavy: turns.New(c)}
}

// question gives each request its turn among the questions.
func question(lanes *turns.Lanes) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			ctx, leave, err := lanes.Enter(r.Context(), auth.From(r.Context()).Subject())
			if err != nil {
				return err
			}
			defer leave()
			c.SetRequest(r.WithContext(ctx))
			return next(c)
		}
	}
}

// turnRefused is the answer when a question got no turn; nil when err says something else.
func turnRefused(err error) *problem.Error {
	switch {
	case errors.Is(err, turns.ErrShare):
		return &problem.Error{Code: problem.CodeTooManyQueries, RetryAfter: time.Second,
			Detail: "Too many of your questions, or of this project's, are being answered at once. Ask fewer at a time."}
	case errors.Is(err, turns.ErrBusy):
		return &problem.Error{Code: problem.CodeBusy, RetryAfter: time.Second,
			Detail: "Too many questions are being answered at once. Try again."}
	}
	return nil
}
