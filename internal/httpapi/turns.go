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
	// slotPatience is how long a question waits for a slot: a dashboard asks many at once and should get all answers.
	slotPatience = 5 * time.Second
	// waitingQuestions is how many questions of one caller may wait: those of several boards.
	waitingQuestions = 128
)

// newQuestions divides a pool of connections: a quarter for the quick lane, a quarter for the heavy one, and half for
// everything else. In each lane one caller may use half of the slots, in the heavy lane one project too. The other
// half is needed: a job takes two connections, and a readiness check that found none would report a node without a
// database.
func newQuestions(connections int) *turns.Lanes {
	slots := max(2, connections/4)
	c := turns.Config{Slots: slots, Share: slots / 2, Waiting: waitingQuestions, Patience: slotPatience}
	return &turns.Lanes{Quick: turns.New(c), Heavy: turns.New(c)}
}

// question runs each request in a slot of the lanes.
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

// turnRefused is the answer when a question got no slot; nil for any other error.
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
