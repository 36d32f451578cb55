-- name: ProjectCreate :exec
INSERT INTO projects (id, name, description, data_retention_days, time_zone, week_start, currency, dialects_off)
VALUES (@id, @name, @description, @data_retention_days, @time_zone, @week_start, @currency, @dialects_off);

-- name: MemberCreate :exec
INSERT INTO project_members (project_id, account_id, role) VALUES (@project_id, @account_id, @role);

-- What an account may see of a project; no row when it is not a member, deleted or not there: the same 404.
-- name: ProjectForAccount :one
SELECT p.*, m.role, coalesce((
    SELECT k.id FROM api_keys k WHERE k.project_id = p.id AND k.main AND k.expires_at IS NULL ORDER BY k.created_at DESC LIMIT 1
), '')::text AS api_key_id
FROM projects p JOIN project_members m ON m.project_id = p.id
WHERE p.id = @project_id AND m.account_id = @account_id AND p.deleted_at IS NULL;

-- Newest first; ids are version 7, so the order of ids is the order of creation.
-- name: ProjectsForAccount :many
SELECT p.*, m.role, coalesce((
    SELECT k.id FROM api_keys k WHERE k.project_id = p.id AND k.main AND k.expires_at IS NULL ORDER BY k.created_at DESC LIMIT 1
), '')::text AS api_key_id
FROM projects p JOIN project_members m ON m.project_id = p.id
WHERE m.account_id = @account_id AND p.deleted_at IS NULL
  AND (sqlc.narg('before')::uuid IS NULL OR m.project_id < sqlc.narg('before')::uuid)
ORDER BY m.project_id DESC
LIMIT @page_size;

-- name: ProjectUpdate :exec
UPDATE projects SET
    name = coalesce(sqlc.narg('name'), name),
    description = coalesce(sqlc.narg('description'), description),
    data_retention_days = coalesce(sqlc.narg('data_retention_days'), data_retention_days),
    time_zone = coalesce(sqlc.narg('time_zone'), time_zone),
    week_start = coalesce(sqlc.narg('week_start'), week_start),
    currency = coalesce(sqlc.narg('currency'), currency),
    dialects_off = coalesce(sqlc.narg('dialects_off')::text[], dialects_off),
    updated_at = now()
WHERE id = @id;

-- The zone and the week of questions that name none.
-- name: ProjectCalendar :one
SELECT p.time_zone, p.week_start FROM projects p WHERE p.id = @id AND p.deleted_at IS NULL;

-- Locks the project, so that its changes, and those of its insights, boards, annotations and custom events, happen one after the other.
-- name: ProjectLock :one
SELECT p.id FROM projects p WHERE p.id = @id AND p.deleted_at IS NULL FOR UPDATE;

-- name: ProjectMarkDeleted :exec
UPDATE projects SET deleted_at = @now::timestamptz WHERE id = @id;

-- Only those deleted a while ago: a request that was let in just before may still be storing events.
-- name: ProjectsToPurge :many
SELECT p.id FROM projects p WHERE p.deleted_at < @before::timestamptz AND p.id <> ALL (@failed::uuid[])
ORDER BY p.deleted_at LIMIT 10;

-- name: ProjectPurgeBegin :exec
UPDATE projects SET purge_started_at = @now::timestamptz WHERE id = @id AND purge_started_at IS NULL;

-- The id before which the next step of the removal of a deleted project's events ends; no row when it is the last step.
-- name: ProjectPurgeStep :one
SELECT e.id FROM events e WHERE e.project_id = @project_id AND e.id >= @id_from ORDER BY e.id OFFSET 10000 LIMIT 1;

-- name: ProjectPurgeEvents :one
SELECT delete_events(@project_id, @id_from, @id_to)::bigint AS deleted;

-- In the transaction of the step, so that the two never differ.
-- name: ProjectPurgeProgress :exec
UPDATE projects SET events_deleted = events_deleted + @deleted WHERE id = @id;

-- What a member of a deleted project may know until it is gone; what is left is exact, because the counts are. They are
-- found by the parameter and not by p.id, which Citus would have to join across nodes.
-- name: ProjectDeletion :one
SELECT p.id, p.deleted_at::timestamptz AS deleted_at, p.purge_started_at, p.events_deleted, coalesce((
    SELECT sum(c.count) FROM event_counts c WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name = ''
), 0)::bigint AS events_left
FROM projects p JOIN project_members m ON m.project_id = p.id
WHERE p.id = @project_id AND m.account_id = @account_id AND p.deleted_at IS NOT NULL;

-- name: ProjectPurgeCounts :execrows
DELETE FROM event_counts c WHERE c.project_id = @project_id AND (c.granularity, c.name, c.bucket) IN (
    SELECT i.granularity, i.name, i.bucket FROM event_counts i WHERE i.project_id = @project_id LIMIT 10000
);

-- name: ProjectPurgeEventKeys :execrows
DELETE FROM event_keys k WHERE k.project_id = @project_id AND k.key_hash IN (
    SELECT i.key_hash FROM event_keys i WHERE i.project_id = @project_id LIMIT 10000
);

-- name: ProjectPurgeAudit :execrows
DELETE FROM audit_log l WHERE l.project_id = @project_id AND l.id IN (
    SELECT i.id FROM audit_log i WHERE i.project_id = @project_id LIMIT 10000
);

-- name: ProjectPurge :exec
DELETE FROM projects WHERE id = @id AND deleted_at IS NOT NULL;

-- name: APIKeyCreate :one
INSERT INTO api_keys (id, project_id, secret_box, secret_key_id, secret_hash, name, main, scopes, created_by, expires_at)
VALUES (@id, @project_id, @secret_box, @secret_key_id, @secret_hash, @name, @main, @scopes, @created_by, sqlc.narg('expires_at'))
RETURNING *;

-- name: APIKeyCount :one
SELECT count(*) FROM api_keys WHERE project_id = @project_id AND NOT main AND (expires_at IS NULL OR expires_at > @now::timestamptz);

-- name: APIKeysForProject :many
SELECT * FROM api_keys WHERE project_id = @project_id ORDER BY created_at DESC, id DESC LIMIT 1000;

-- name: APIKeyForProject :one
SELECT * FROM api_keys WHERE project_id = @project_id AND id = @id;

-- name: APIKeyUpdate :one
UPDATE api_keys SET name = coalesce(sqlc.narg('name'), name), expires_at = coalesce(sqlc.narg('expires_at'), expires_at)
WHERE project_id = @project_id AND id = @id
RETURNING *;

-- name: APIKeyDelete :execrows
DELETE FROM api_keys WHERE project_id = @project_id AND id = @id;

-- Of many keys at once, and for each at most once a minute however many nodes use it. In the order of the ids: two nodes
-- that lock the same rows then cannot deadlock.
-- name: APIKeysUsed :exec
UPDATE api_keys k SET last_used_at = u.used_at
FROM (SELECT i.id, t.used_at
      FROM (SELECT unnest(@ids::text[]) AS id, unnest(@used_ats::timestamptz[]) AS used_at) AS t
      JOIN api_keys i ON i.id = t.id
      WHERE i.last_used_at IS NULL OR i.last_used_at <= t.used_at - interval '1 minute'
      ORDER BY i.id FOR UPDATE OF i) AS u
WHERE k.id = u.id;

-- Rotation: every main pair that is still alive gets an end. One that ends sooner keeps its own.
-- name: APIKeysExpire :exec
UPDATE api_keys SET expires_at = @expires_at::timestamptz
WHERE project_id = @project_id AND main AND (expires_at IS NULL OR expires_at > @expires_at::timestamptz);

-- name: APIKeyByID :one
SELECT sqlc.embed(k), (p.disabled_at IS NOT NULL)::boolean AS disabled FROM api_keys k JOIN projects p ON p.id = k.project_id
WHERE k.id = @id AND p.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > @now::timestamptz);

-- name: APIKeyBySecretHash :one
SELECT sqlc.embed(k), (p.disabled_at IS NOT NULL)::boolean AS disabled, p.dialects_off FROM api_keys k JOIN projects p ON p.id = k.project_id
WHERE k.secret_hash = @secret_hash AND p.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > @now::timestamptz);

-- Secrets still under another key than the current one, in pages, for `nimbus keys rewrap`.
-- name: APIKeysToRewrap :many
SELECT k.id, k.secret_box, k.secret_key_id FROM api_keys k
WHERE k.secret_key_id <> @secret_key_id AND k.id > @after ORDER BY k.id LIMIT 500;

-- Guarded by the old box, so that a rotation or another rewrap at the same time is not undone.
-- name: APIKeyRewrap :execrows
UPDATE api_keys SET secret_box = @new_box, secret_key_id = @secret_key_id
WHERE id = @id AND secret_box = @old_box;

-- name: APIKeyPrune :execrows
DELETE FROM api_keys WHERE expires_at < @before::timestamptz;

-- name: WriteKeyCreate :one
INSERT INTO write_keys (id, project_id, key, name, allowed_origins) VALUES (@id, @project_id, @key, @name, @allowed_origins)
RETURNING *;

-- name: WriteKeyCount :one
SELECT count(*) FROM write_keys WHERE project_id = @project_id;

-- name: WriteKeysForProject :many
SELECT * FROM write_keys WHERE project_id = @project_id ORDER BY id DESC LIMIT 1000;

-- name: WriteKeyUpdate :one
UPDATE write_keys SET allowed_origins = @allowed_origins, name = coalesce(sqlc.narg('name'), name)
WHERE id = @id AND project_id = @project_id RETURNING *;

-- name: WriteKeyForProject :one
SELECT * FROM write_keys WHERE id = @id AND project_id = @project_id;

-- name: WriteKeyDelete :execrows
DELETE FROM write_keys WHERE id = @id AND project_id = @project_id;

-- name: WriteKeyByKey :one
SELECT sqlc.embed(w), (p.disabled_at IS NOT NULL)::boolean AS disabled, p.dialects_off FROM write_keys w JOIN projects p ON p.id = w.project_id
WHERE w.key = @key AND p.deleted_at IS NULL;

-- name: WriteKeyByID :one
SELECT sqlc.embed(w), (p.disabled_at IS NOT NULL)::boolean AS disabled, p.dialects_off FROM write_keys w JOIN projects p ON p.id = w.project_id
WHERE w.id = @id AND p.deleted_at IS NULL;

-- The role of an account in a project, and whether the project is deleted; no row when it is not a member.
-- name: MemberRole :one
SELECT m.role, (p.deleted_at IS NOT NULL)::boolean AS deleted, (p.disabled_at IS NOT NULL)::boolean AS disabled FROM project_members m JOIN projects p ON p.id = m.project_id
WHERE m.project_id = @project_id AND m.account_id = @account_id;

-- name: MembersForProject :many
SELECT m.account_id, a.email, m.role, m.created_at FROM project_members m JOIN accounts a ON a.id = m.account_id
WHERE m.project_id = @project_id ORDER BY m.created_at, m.account_id LIMIT 1000;

-- name: MemberCount :one
SELECT count(*) FROM project_members WHERE project_id = @project_id;

-- name: MemberForProject :one
SELECT m.account_id, a.email, m.role, m.created_at FROM project_members m JOIN accounts a ON a.id = m.account_id
WHERE m.project_id = @project_id AND m.account_id = @account_id;

-- name: MemberSetRole :exec
UPDATE project_members SET role = @role WHERE project_id = @project_id AND account_id = @account_id;

-- name: MemberDelete :exec
DELETE FROM project_members WHERE project_id = @project_id AND account_id = @account_id;

-- name: MemberOwners :one
SELECT count(*) FROM project_members WHERE project_id = @project_id AND role = 'owner';

-- name: MemberProjectIDs :many
SELECT m.project_id FROM project_members m JOIN projects p ON p.id = m.project_id
WHERE m.account_id = @account_id AND p.deleted_at IS NULL AND p.disabled_at IS NULL;

-- How many projects an account owns, those that are being removed included: making and deleting them is work too.
-- name: ProjectsOwned :one
SELECT count(*) FROM project_members WHERE account_id = @account_id AND role = 'owner';

-- Locked, so that the projects of one account are made one after the other.
-- name: ProjectOwnerLock :one
SELECT id FROM accounts WHERE id = @id FOR NO KEY UPDATE;

-- The keys of a member that work.
-- name: APIKeysOfMember :many
SELECT * FROM api_keys WHERE project_id = @project_id AND created_by = @created_by AND (expires_at IS NULL OR expires_at > @now::timestamptz)
ORDER BY created_at DESC, id DESC;

-- name: ProjectsActive :one
SELECT count(*) FROM projects WHERE deleted_at IS NULL;

-- name: ProjectsDeleted :one
SELECT count(*) FROM projects WHERE deleted_at IS NOT NULL;
