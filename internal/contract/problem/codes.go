package problem

import "net/http"

// Code names a kind of problem. Codes are part of the API: never rename one.
type Code string

// The codes.
const (
	CodeMalformedJSON         Code = "malformed_json"
	CodeMalformedEncoding     Code = "malformed_encoding"
	CodeUnauthenticated       Code = "unauthenticated"
	CodeInvalidCredentials    Code = "invalid_credentials"
	CodeInvalidKey            Code = "invalid_key"
	CodeInvalidSignature      Code = "invalid_signature"
	CodeStaleTimestamp        Code = "stale_timestamp"
	CodeInvalidToken          Code = "invalid_token"
	CodeTokenExpired          Code = "token_expired"
	CodeTokenReused           Code = "token_reused"
	CodeWrongTokenType        Code = "wrong_token_type"
	CodeSessionEnded          Code = "session_ended"
	CodeIdentityNotLinked     Code = "identity_not_linked"
	CodeInvalidTicket         Code = "invalid_ticket"
	CodeOriginNotAllowed      Code = "origin_not_allowed"
	CodeInsufficientScope     Code = "insufficient_scope"
	CodeInsufficientRole      Code = "insufficient_role"
	CodeNotFound              Code = "not_found"
	CodeMethodNotAllowed      Code = "method_not_allowed"
	CodeEmailTaken            Code = "email_taken"
	CodeLastOwner             Code = "last_owner"
	CodeLastOperator          Code = "last_operator"
	CodeLinkInvalid           Code = "link_invalid"
	CodeInvitationNotYours    Code = "invitation_not_yours"
	CodeRegistrationClosed    Code = "registration_closed"
	CodeSetupTokenRequired    Code = "setup_token_required"
	CodeMailNotConfigured     Code = "mail_not_configured"
	CodeAccountDisabled       Code = "account_disabled"
	CodeProjectDisabled       Code = "project_disabled"
	CodeIdempotencyRunning    Code = "idempotency_in_progress"
	CodeIdempotencyReused     Code = "idempotency_key_reused"
	CodeVersionConflict       Code = "version_conflict"
	CodeInUse                 Code = "in_use"
	CodeBodyTooLarge          Code = "body_too_large"
	CodeUnsupportedMediaType  Code = "unsupported_media_type"
	CodeUnsupportedEncoding   Code = "unsupported_encoding"
	CodeValidation            Code = "validation_failed"
	CodeAllRejected           Code = "all_events_rejected"
	CodeLimitReached          Code = "limit_reached"
	CodeQueryTooHeavy         Code = "query_too_heavy"
	CodeRateLimited           Code = "rate_limited"
	CodeTooManyAttempts       Code = "too_many_attempts"
	CodeTooManyQueries        Code = "too_many_queries"
	CodeQuotaExceeded         Code = "quota_exceeded"
	CodeInternal              Code = "internal"
	CodeDatabaseUnavailable   Code = "database_unavailable"
	CodeProviderUnavailable   Code = "identity_provider_unavailable"
	CodeQueueFull             Code = "queue_full"
	CodeLowOnDisk             Code = "low_on_disk"
	CodeBusy                  Code = "busy"
	CodeShuttingDown          Code = "shutting_down"
	CodeTimeout               Code = "timeout"
	CodeTooManyStreams        Code = "too_many_streams"
	CodeTooManyProjectStreams Code = "too_many_project_streams"
)

// Kind holds the properties that all problems of a code share.
type Kind struct {
	Code   Code
	Status int
	Title  string
	Advice string // what the caller can do; shown on the page that Problem.type links to
}

// kinds is the one table from code to status.
var kinds = []Kind{
	{CodeMalformedJSON, http.StatusBadRequest, "The body is not JSON", "Send one JSON document in UTF-8. The detail says at which byte reading stopped."},
	{CodeMalformedEncoding, http.StatusBadRequest, "The compression of the body is broken", "Compress the whole body with the method that Content-Encoding names, or leave the header out."},
	{CodeUnauthenticated, http.StatusUnauthorized, "Credentials are missing", "Send one of the kinds of credentials the operation lists; the detail names them."},
	{CodeInvalidCredentials, http.StatusUnauthorized, "The address or the password is wrong", "Check both. For safety the answer does not say which one it is."},
	{CodeInvalidKey, http.StatusUnauthorized, "The key is not known", "Check the key. It may have been rotated, or its project deleted."},
	{CodeInvalidSignature, http.StatusUnauthorized, "The signature does not match", "Sign `{timestamp}:{METHOD}:{path}:{body}` with the key's secret: the path without the query, the body exactly as sent, the result in lower-case hex."},
	{CodeStaleTimestamp, http.StatusUnauthorized, "The timestamp is too far from now", "Set the sender's clock, and sign each attempt anew."},
	{CodeInvalidToken, http.StatusUnauthorized, "The token is not valid", "Log in again."},
	{CodeTokenExpired, http.StatusUnauthorized, "The token has expired", "Get a new pair with POST /v1/auth/refresh, or log in again."},
	{CodeTokenReused, http.StatusUnauthorized, "The refresh token was used before", "Someone used this token twice, so the session was ended. Log in again."},
	{CodeWrongTokenType, http.StatusUnauthorized, "The token is of another kind", "Send an access token, or for refreshing a refresh token."},
	{CodeSessionEnded, http.StatusUnauthorized, "The session is over", "Log in again."},
	{CodeIdentityNotLinked, http.StatusUnauthorized, "The identity has no account here", "Log in with the identity provider in a browser once: /v1/auth/oidc/login."},
	{CodeInvalidTicket, http.StatusUnauthorized, "The ticket is not valid", "Get a new ticket for each stream; it works once, within a minute, for one project."},
	{CodeOriginNotAllowed, http.StatusForbidden, "The origin is not allowed", "Add the origin to the write key's allowed_origins or, for the live stream, to NIMBUS_ALLOWED_ORIGINS."},
	{CodeInsufficientScope, http.StatusForbidden, "The key is not for this use", "Use a key that has the scope the detail names."},
	{CodeInsufficientRole, http.StatusForbidden, "The role is not enough", "Ask an owner or admin of the project for the role the detail names, or to do it for you."},
	{CodeRegistrationClosed, http.StatusForbidden, "This server takes no new accounts so", "Ask a member of the project for an invitation, or the operator for an account."},
	{CodeSetupTokenRequired, http.StatusForbidden, "The first account needs the setup token", "It is in the server's log, or what NIMBUS_SETUP_TOKEN says; or run nimbus accounts create."},
	{CodeInvitationNotYours, http.StatusForbidden, "The invitation is for another address", "Log in with the account of the address that it was made for, or ask for another one."},
	{CodeMailNotConfigured, http.StatusForbidden, "This server sends no mail", "Ask the operator for a link: nimbus accounts reset-password."},
	{CodeAccountDisabled, http.StatusForbidden, "The account is disabled", "Ask the operator of the server."},
	{CodeProjectDisabled, http.StatusForbidden, "The project is disabled", "Ask the operator of the server. Nothing of the project was deleted."},
	{CodeNotFound, http.StatusNotFound, "Not found", "Check the id and the account. Things of other accounts are not found either."},
	{CodeLinkInvalid, http.StatusNotFound, "The link does not work", "It was used, was withdrawn or has expired. Ask for a new one."},
	{CodeMethodNotAllowed, http.StatusMethodNotAllowed, "The path does not take this method", "The Allow header lists those it takes."},
	{CodeEmailTaken, http.StatusConflict, "The address is taken", "Log in, or register another address."},
	{CodeLastOwner, http.StatusConflict, "A project needs an owner", "Make another member owner first, or delete the project."},
	{CodeLastOperator, http.StatusConflict, "A server keeps an operator", "Make another account an operator first."},
	{CodeIdempotencyRunning, http.StatusConflict, "The same request is being answered", "Retry after Retry-After seconds: the answer is then that of the first request."},
	{CodeInUse, http.StatusConflict, "Something else is made of it", "Change or delete what the detail names first."},
	{CodeVersionConflict, http.StatusPreconditionFailed, "It was changed meanwhile", "Read it again and change what is there now, or send the change without If-Match to overwrite it."},
	{CodeBodyTooLarge, http.StatusRequestEntityTooLarge, "The body is too large", "Send it in parts. The limit holds before and after decompression."},
	{CodeUnsupportedMediaType, http.StatusUnsupportedMediaType, "The body must be application/json", "Set Content-Type to application/json."},
	{CodeUnsupportedEncoding, http.StatusUnsupportedMediaType, "The compression is not known", "Use gzip or zstd, or none."},
	{CodeValidation, http.StatusUnprocessableEntity, "Fields are not valid", "errors names every bad field and says what is wrong with it."},
	{CodeAllRejected, http.StatusUnprocessableEntity, "Every event was refused", "errors names every bad field of every event. Nothing was stored."},
	{CodeIdempotencyReused, http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request", "Use a new key for each request, and the same key only to retry the same request."},
	{CodeLimitReached, http.StatusUnprocessableEntity, "There are too many already", "Delete one first; the detail names the limit."},
	{CodeQueryTooHeavy, http.StatusUnprocessableEntity, "The question is too heavy", "Ask for less: the detail says what to narrow. The same question would be refused again."},
	{CodeRateLimited, http.StatusTooManyRequests, "Too many requests", "Wait for Retry-After seconds. RateLimit-Policy names the limit, RateLimit the requests left."},
	{CodeTooManyAttempts, http.StatusTooManyRequests, "Too many failed attempts", "Wait for Retry-After seconds and try again. Attempts in the meantime are refused; their password is not checked."},
	{CodeTooManyQueries, http.StatusTooManyRequests, "Too many questions at once", "Ask fewer at a time, and try again after Retry-After seconds."},
	{CodeQuotaExceeded, http.StatusTooManyRequests, "The project has stored as much as it may", "The detail names the limit. Wait for Retry-After seconds, store less, or ask the operator to raise it; GET /v1/projects/{project_id}/usage shows how much is used."},
	{CodeTooManyProjectStreams, http.StatusTooManyRequests, "The project has too many live streams open", "Close some, or try again after Retry-After seconds. The operator may raise NIMBUS_LIVE_MAX_STREAMS_PER_PROJECT."},
	{CodeInternal, http.StatusInternalServerError, "Something went wrong in the server", "Try again; if the error persists, give the operator the request_id."},
	{CodeDatabaseUnavailable, http.StatusServiceUnavailable, "The database cannot be reached", "The detail says when it is not known whether the request took effect. Try again after Retry-After seconds: events with an idempotency_key, and the same signed request, are stored once."},
	{CodeProviderUnavailable, http.StatusServiceUnavailable, "The identity provider cannot be reached", "Its token could not be checked. Try again after Retry-After seconds."},
	{CodeQueueFull, http.StatusServiceUnavailable, "The queue is full", "Nothing was stored. Try again after Retry-After seconds."},
	{CodeLowOnDisk, http.StatusServiceUnavailable, "The disk is nearly full", "Nothing was stored. Try again after Retry-After seconds; the operator must free or add space, or lower NIMBUS_MIN_FREE_BYTES."},
	{CodeBusy, http.StatusServiceUnavailable, "Too many questions at once from everyone", "Try again after Retry-After seconds."},
	{CodeShuttingDown, http.StatusServiceUnavailable, "The server is shutting down", "Nothing was stored. Try again after Retry-After seconds."},
	{CodeTimeout, http.StatusServiceUnavailable, "The answer took too long", "Try again, or ask for less."},
	{CodeTooManyStreams, http.StatusServiceUnavailable, "Too many live streams are open", "Try again after Retry-After seconds, or raise NIMBUS_LIVE_MAX_STREAMS."},
}

var byCode = func() map[Code]Kind {
	m := make(map[Code]Kind, len(kinds))
	for _, k := range kinds {
		m[k.Code] = k
	}
	return m
}()

// KindOf returns the row of a code; an unknown code is an internal error.
func KindOf(c Code) Kind {
	if k, ok := byCode[c]; ok {
		return k
	}
	return byCode[CodeInternal]
}

// Kinds returns the whole table, for the documentation.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }
