-- No row when the address is taken: as an error of the unique key it would stand in PostgreSQL's log, address and all.
-- name: AccountCreate :one
INSERT INTO accounts (id, email, password_hash, operator) VALUES (@id, @email, @password_hash, @operator)
ON CONFLICT (email) DO NOTHING RETURNING *;

-- name: AccountByEmail :one
SELECT * FROM accounts WHERE email = @email;

-- name: AccountByID :one
SELECT * FROM accounts WHERE id = @id;

-- Locked, so that two changes of one password do not both succeed.
-- name: AccountByIDForUpdate :one
SELECT * FROM accounts WHERE id = @id FOR UPDATE;

-- name: AccountSetPassword :exec
UPDATE accounts SET password_hash = @password_hash, updated_at = now() WHERE id = @id;

-- name: SessionCreate :exec
INSERT INTO sessions (id, account_id, created_at, last_seen_at, expires_at, ip, user_agent)
VALUES (@id, @account_id, @now, @now, @expires_at, @ip, @user_agent);

-- An access token is valid only while its session is: one primary-key lookup for each management request.
-- name: SessionAccount :one
SELECT a.* FROM sessions s JOIN accounts a ON a.id = s.account_id
WHERE s.id = @session_id AND s.revoked_at IS NULL AND s.expires_at > @now AND a.disabled_at IS NULL;

-- Newest first by their time: the id of a provider's token is a hash and has none.
-- name: SessionsForAccount :many
SELECT * FROM sessions WHERE account_id = @account_id AND revoked_at IS NULL AND expires_at > @now
ORDER BY created_at DESC, id DESC LIMIT 100;

-- name: SessionRevokeOwn :execrows
UPDATE sessions SET revoked_at = @now::timestamptz
WHERE id = @id AND account_id = @account_id AND revoked_at IS NULL AND expires_at > @now::timestamptz;

-- Updates many sessions at once, in the order of the ids, so that two nodes that lock the same rows cannot deadlock.
-- name: SessionsSeen :exec
UPDATE sessions s SET last_seen_at = u.seen_at
FROM (SELECT i.id, t.seen_at
      FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@seen_ats::timestamptz[]) AS seen_at) AS t
      JOIN sessions i ON i.id = t.id
      WHERE i.last_seen_at <= t.seen_at - interval '1 minute'
      ORDER BY i.id FOR UPDATE OF i) AS u
WHERE s.id = u.id;

-- name: AccountsSeen :exec
UPDATE accounts a SET last_seen_at = u.seen_at
FROM (SELECT i.id, t.seen_at
      FROM (SELECT s.account_id AS id, max(n.seen_at) AS seen_at
            FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@seen_ats::timestamptz[]) AS seen_at) AS n
            JOIN sessions s ON s.id = n.id GROUP BY s.account_id) AS t
      JOIN accounts i ON i.id = t.id
      WHERE i.last_seen_at IS NULL OR i.last_seen_at <= t.seen_at - interval '1 minute'
      ORDER BY i.id FOR UPDATE OF i) AS u
WHERE a.id = u.id;

-- name: SessionExtend :exec
UPDATE sessions SET expires_at = @expires_at WHERE id = @id;

-- name: SessionRevoke :execrows
UPDATE sessions SET revoked_at = @now::timestamptz WHERE id = @id AND revoked_at IS NULL;

-- name: SessionRevokeAll :exec
UPDATE sessions SET revoked_at = @now::timestamptz WHERE account_id = @account_id AND revoked_at IS NULL;

-- name: RefreshTokenCreate :exec
INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES (@token_hash, @session_id, @expires_at)
ON CONFLICT DO NOTHING;

-- Locks the token and its session: of two refreshes with one token at once, the second sees the first's mark.
-- name: RefreshTokenForUpdate :one
SELECT t.session_id, t.expires_at, t.used_at, s.account_id, s.revoked_at
FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
WHERE t.token_hash = @token_hash
FOR UPDATE;

-- The same without the lock.
-- name: RefreshTokenRead :one
SELECT t.session_id, t.expires_at, t.used_at, s.account_id, s.revoked_at
FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
WHERE t.token_hash = @token_hash;

-- name: RefreshTokenMarkUsed :exec
UPDATE refresh_tokens SET used_at = @now::timestamptz WHERE token_hash = @token_hash;

-- Sessions that ended a while ago; their refresh tokens go with them. Bounded, so that the job never holds long locks.
-- name: SessionPrune :execrows
DELETE FROM sessions s WHERE s.id IN (
    SELECT e.id FROM sessions e WHERE e.expires_at < @before::timestamptz LIMIT 1000
);

-- Spent and expired tokens of live sessions.
-- name: RefreshTokenPrune :execrows
DELETE FROM refresh_tokens t WHERE t.token_hash IN (
    SELECT e.token_hash FROM refresh_tokens e WHERE e.expires_at < @before::timestamptz LIMIT 1000
);

-- Locked, so that nobody opens a session of an account that is being disabled.
-- name: AccountByIdentity :one
SELECT a.* FROM account_identities i JOIN accounts a ON a.id = i.account_id
WHERE i.issuer = @issuer AND i.subject = @subject
FOR NO KEY UPDATE OF a;

-- Locked, so that nobody opens a session with the password that is about to be removed.
-- name: AccountByEmailForUpdate :one
SELECT * FROM accounts WHERE email = @email FOR UPDATE;

-- No row when the identity is linked already, or the account to another one of the issuer.
-- name: IdentityCreate :execrows
INSERT INTO account_identities (issuer, subject, account_id) VALUES (@issuer, @subject, @account_id) ON CONFLICT DO NOTHING;

-- The session of a provider's token: its id is derived from the token, so a revoked one does not come back.
-- name: SessionCreateOnce :execrows
INSERT INTO sessions (id, account_id, created_at, last_seen_at, expires_at, ip, user_agent)
VALUES (@id, @account_id, @now, @now, @expires_at, @ip, @user_agent)
ON CONFLICT DO NOTHING;
