package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// errorHandler answers every error with problem+json.
func errorHandler(log *slog.Logger, base string) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			log.ErrorContext(c.Request().Context(), "error after the answer had begun", "error", err)
			return
		}
		p := toProblem(err)
		kind := problem.KindOf(p.Code)
		if kind.Status >= http.StatusInternalServerError {
			level := slog.LevelWarn
			if p.Code == problem.CodeInternal {
				level = slog.LevelError
			}
			log.Log(c.Request().Context(), level, "request failed", "route", c.Path(), "code", p.Code, "error", err)
		}
		writeProblem(c, p, kind, base, log)
	}
}

func writeProblem(c echo.Context, p *problem.Error, kind problem.Kind, base string, log *slog.Logger) {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "application/problem+json")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	if kind.Status == http.StatusUnauthorized && h.Get(echo.HeaderWWWAuthenticate) == "" {
		h.Set(echo.HeaderWWWAuthenticate, "Bearer")
	}
	out := api.Problem{Type: base + "/docs/errors#" + string(p.Code), Title: kind.Title, Status: int32(kind.Status), Detail: p.Detail,
		Code: string(p.Code), RequestID: requestID(c), Errors: toAPIFields(p.Fields)}
	if p.Code == problem.CodeAllRejected {
		zero, rejected := int32(0), int32(contract.Errors(p.Fields).Items())
		out.Accepted, out.Duplicates, out.Rejected = &zero, &zero, &rejected
	}
	if p.Version > 0 {
		out.Version = &p.Version
	}
	c.Response().WriteHeader(kind.Status)
	if sentMethod(c.Request()) == http.MethodHead {
		return
	}
	if err := json.NewEncoder(c.Response()).Encode(out); err != nil {
		log.DebugContext(c.Request().Context(), "answer not delivered", "error", err)
	}
}

// toProblem maps an error to the caller's answer. An unknown error is an internal error without details.
func toProblem(err error) *problem.Error {
	var (
		p      *problem.Error
		fields contract.Errors
		syntax *contract.SyntaxError
		read   *readError
		he     *echo.HTTPError
	)
	if p = turnRefused(err); p != nil {
		return p
	}
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &fields):
		return problem.Invalid(fields...)
	case errors.As(err, &syntax):
		return problem.Wrap(err, problem.CodeMalformedJSON, "%s (byte %d).", syntax.Detail, syntax.Offset)
	case errors.As(err, &read):
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return problem.Wrap(err, problem.CodeMalformedJSON, "The body came too slowly: %d KiB within %s is the minimum.", leastBytes>>10, leastTime)
		}
		return problem.Wrap(err, problem.CodeMalformedJSON, "The body broke off before its end.")
	case errors.As(err, &he):
		return fromEcho(he)
	case errors.Is(err, postgres.ErrUnconfirmed):
		p = problem.Unavailable(err)
		p.Detail = "The database did not confirm, so it is not known whether this was done. Look before you ask again, or ask with an Idempotency-Key where the operation takes one."
		return p
	case errors.Is(err, context.DeadlineExceeded):
		return &problem.Error{Code: problem.CodeTimeout, Detail: "The answer was not ready in time. Try again, or ask for less.",
			RetryAfter: time.Second, Cause: err}
	case postgres.IsUnavailable(err), postgres.IsRetryable(err):
		return problem.Unavailable(err)
	default:
		return internalError(err)
	}
}

func internalError(cause error) *problem.Error {
	return problem.Wrap(cause, problem.CodeInternal, "Something went wrong in the server. The request_id finds it in the log.")
}

// fromEcho maps the errors of Echo and its router.
func fromEcho(he *echo.HTTPError) *problem.Error {
	switch he.Code {
	case http.StatusNotFound:
		return problem.Wrap(he, problem.CodeNotFound, "There is no such path. The contract is at /openapi.yaml, its pages are at /docs.")
	case http.StatusMethodNotAllowed:
		return problem.Wrap(he, problem.CodeMethodNotAllowed, "This path does not take this method; the Allow header lists those it takes.")
	case http.StatusRequestEntityTooLarge:
		return problem.Wrap(he, problem.CodeBodyTooLarge, "The body is too large.")
	case http.StatusUnsupportedMediaType:
		return problem.Wrap(he, problem.CodeUnsupportedMediaType, "The body must be application/json.")
	case http.StatusBadRequest:
		// checkParams ran before the generated wrapper parsed the parameters: this is an error that it does not detect.
		return problem.Wrap(he, problem.CodeValidation, "A parameter is not valid: %.200v.", he.Message)
	default:
		return internalError(he)
	}
}

func toAPIFields(fields []contract.FieldError) []api.FieldError {
	if len(fields) == 0 {
		return nil
	}
	out := make([]api.FieldError, len(fields))
	for k, f := range fields {
		in := api.FieldErrorIn(f.In)
		out[k] = api.FieldError{In: &in, Pointer: f.Pointer, Code: f.Code, Detail: f.Detail}
		if f.Item >= 0 {
			index := int32(f.Item)
			out[k].Index = &index
		}
	}
	return out
}
