-- True for the one request with this key that is being answered; the lock ends with its transaction.
-- name: IdempotencyLock :one
SELECT pg_try_advisory_xact_lock(hashtextextended('nimbus.idempotency ' || @key::text, 0))::boolean AS locked;

-- name: IdempotencyFind :one
SELECT * FROM idempotency_keys
WHERE account_id = @account_id AND operation = @operation AND key = @key AND created_at > @since;

-- Replaces an expired answer to the same key.
-- name: IdempotencyKeep :exec
INSERT INTO idempotency_keys (account_id, operation, key, request_hash, status, reply_box, secret_key_id, created_at)
VALUES (@account_id, @operation, @key, @request_hash, @status, @reply_box, @secret_key_id, @created_at)
ON CONFLICT (account_id, operation, key) DO UPDATE SET
    request_hash = excluded.request_hash, status = excluded.status, reply_box = excluded.reply_box,
    secret_key_id = excluded.secret_key_id, created_at = excluded.created_at;

-- name: IdempotencyPrune :execrows
DELETE FROM idempotency_keys k WHERE (k.account_id, k.operation, k.key) IN (
    SELECT i.account_id, i.operation, i.key FROM idempotency_keys i WHERE i.created_at <= @before LIMIT 1000
);

-- How many answers an account has, counted up to a bound.
-- name: IdempotencyCount :one
SELECT count(*) FROM (SELECT 1 FROM idempotency_keys WHERE account_id = @account_id LIMIT @most) AS kept;
