-- What operators do and see. What events take up is read by itself and not joined, because Citus has it on other nodes.

-- One at a time asks whether it makes the first account.
-- name: InstanceLock :exec
SELECT pg_advisory_xact_lock(hashtextextended('nimbus.first_account', 0));

-- name: InstanceHasAccounts :one
SELECT EXISTS (SELECT 1 FROM accounts)::boolean AS populated;

-- name: InstanceAccounts :many
SELECT * FROM accounts a
WHERE (sqlc.narg('before')::uuid IS NULL OR a.id < sqlc.narg('before')::uuid)
  AND (@email::text = '' OR strpos(a.email, @email::text) > 0)
ORDER BY a.id DESC LIMIT @page_size;

-- The projects that accounts own, for those of a page.
-- name: InstanceOwned :many
SELECT m.account_id, m.project_id FROM project_members m JOIN projects p ON p.id = m.project_id
WHERE m.account_id = ANY (@account_ids::uuid[]) AND m.role = 'owner' AND p.deleted_at IS NULL;

-- name: InstanceProjects :many
SELECT p.*, (SELECT count(*) FROM project_members m WHERE m.project_id = p.id) AS members,
    coalesce((SELECT array_agg(a.email ORDER BY m.created_at, a.id) FROM project_members m JOIN accounts a ON a.id = m.account_id
              WHERE m.project_id = p.id AND m.role = 'owner'), '{}')::text[] AS owners,
    l.events_per_day, l.stored_bytes, l.event_names
FROM projects p
LEFT JOIN project_limits l ON l.project_id = p.id
WHERE p.deleted_at IS NULL AND (sqlc.narg('before')::uuid IS NULL OR p.id < sqlc.narg('before')::uuid)
  AND (sqlc.narg('only')::uuid IS NULL OR p.id = sqlc.narg('only')::uuid)
ORDER BY p.id DESC LIMIT @page_size;

-- name: InstanceEvents :many
SELECT c.project_id, sum(c.count)::bigint AS events, max(c.bucket)::timestamptz AS last_day FROM event_counts c
WHERE c.project_id = ANY (@project_ids::uuid[]) AND c.granularity = 86400 AND c.name = ''
GROUP BY c.project_id;

-- name: InstanceAllEvents :one
SELECT coalesce(sum(c.count), 0)::bigint AS events FROM event_counts c WHERE c.granularity = 86400 AND c.name = '';

-- name: InstanceBytes :one
SELECT event_storage_bytes()::bigint AS bytes;

-- name: InstanceProjectDisable :execrows
UPDATE projects SET disabled_at = CASE WHEN @disabled::boolean THEN coalesce(disabled_at, @now::timestamptz) END
WHERE id = @id AND deleted_at IS NULL;

-- Locked: changes of operators happen one after the other, so that there is always one.
-- name: InstanceAccountLock :one
SELECT * FROM accounts WHERE id = @id FOR UPDATE;

-- name: InstanceAccountUpdate :exec
UPDATE accounts SET operator = @operator, updated_at = now(),
    disabled_at = CASE WHEN @disabled::boolean THEN coalesce(disabled_at, @now::timestamptz) END
WHERE id = @id;

-- name: InstanceOtherOperators :one
SELECT count(*) FROM accounts WHERE operator AND disabled_at IS NULL AND id <> @id;

-- name: InstanceAccountDelete :execrows
DELETE FROM accounts WHERE id = @id;

-- The projects that would be left without an owner, locked.
-- name: InstanceSolelyOwned :many
SELECT p.id, p.name FROM projects p JOIN project_members m ON m.project_id = p.id
WHERE m.account_id = @account_id AND m.role = 'owner' AND p.deleted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM project_members o WHERE o.project_id = p.id AND o.role = 'owner' AND o.account_id <> @account_id)
ORDER BY p.id FOR UPDATE OF p;

-- name: PasswordResetCreate :exec
INSERT INTO password_resets (token_hash, account_id, created_at, expires_at) VALUES (@token_hash, @account_id, @now, @expires_at);

-- name: PasswordResetRecent :one
SELECT EXISTS (SELECT 1 FROM password_resets WHERE account_id = @account_id AND created_at > @since::timestamptz)::boolean AS recent;

-- The account of a link that holds. It is locked, and its links with it: of two uses at once, one finds the link gone.
-- name: PasswordResetAccount :one
SELECT a.* FROM password_resets r JOIN accounts a ON a.id = r.account_id
WHERE r.token_hash = @token_hash AND r.expires_at > @now::timestamptz AND a.disabled_at IS NULL
FOR UPDATE;

-- name: PasswordResetDeleteAll :exec
DELETE FROM password_resets WHERE account_id = @account_id;

-- name: PasswordResetPrune :execrows
DELETE FROM password_resets d WHERE d.token_hash IN (
    SELECT r.token_hash FROM password_resets r WHERE r.expires_at < @before::timestamptz LIMIT 1000
);
