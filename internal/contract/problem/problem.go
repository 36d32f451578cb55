// Package problem has the errors that every layer of Nimbus returns to the caller who can act on them.
//
// A slice returns an *Error with a stable code and a sentence for the caller; the cause stays inside, for the log.
// httpapi turns it into application/problem+json (RFC 9457). An error that is not an *Error reaches the caller as
// "internal" and nothing else: no SQL, no stack, no secret.
package problem

import (
	"errors"
	"fmt"
	"time"

	"github.com/bahagh/nimbus/internal/contract"
)

// Error is an answer to the caller.
type Error struct {
	Code       Code
	Detail     string                // what went wrong this time and what to do; shown to the caller
	Fields     []contract.FieldError // every bad field
	RetryAfter time.Duration         // for 429 and 503; whole seconds, rounded up
	Version    int64                 // for version_conflict: the one that is there
	Cause      error                 // logged, never shown
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

func (e *Error) Unwrap() error { return e.Cause }

// New returns an error with a code and a sentence for the caller.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Wrap is New with the cause kept for the log.
func Wrap(cause error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...), Cause: cause}
}

// NotFound is the answer for a thing that does not exist or is not the caller's: always the same words, so that the
// two cannot be told apart.
func NotFound() *Error { return New(CodeNotFound, "No such thing, or it is not yours.") }

// Field is a validation error of one field, for rules that the contract cannot express.
func Field(in, pointer, code, detail string) *Error {
	return Invalid(contract.FieldError{In: in, Pointer: pointer, Code: code, Detail: detail, Item: -1})
}

// Invalid names every bad field.
func Invalid(fields ...contract.FieldError) *Error {
	detail := "1 field is not valid; see errors."
	if len(fields) != 1 {
		detail = fmt.Sprintf("%d fields are not valid; see errors.", len(fields))
	}
	return &Error{Code: CodeValidation, Detail: detail, Fields: fields}
}

// Unavailable says when to retry. It does not say that nothing was done: for a single statement that is not known.
func Unavailable(cause error) *Error {
	return &Error{Code: CodeDatabaseUnavailable, Detail: "The database cannot be reached. Try again.",
		RetryAfter: time.Second, Cause: cause}
}

// Is reports whether err is a problem with this code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
