-- Written in the transaction of the change that it records.
-- name: AuditRecord :exec
INSERT INTO audit_log (project_id, id, actor_kind, actor_id, action, target, changes, ip, user_agent, request_id)
VALUES (@project_id, @id, @actor_kind, @actor_id, @action, @target, @changes, @ip, @user_agent, @request_id);

-- Newest first, after the entry (before_at, before_id) when that is given.
-- name: AuditPage :many
SELECT l.*, coalesce(a.email, '')::text AS actor_email
FROM audit_log l LEFT JOIN accounts a ON a.id = CASE WHEN l.actor_kind = 'account' THEN l.actor_id::uuid END
WHERE l.project_id = @project_id
  AND (cardinality(@actions::text[]) = 0 OR l.action = ANY (@actions::text[]))
  AND (sqlc.narg('actor')::text IS NULL OR l.actor_id = sqlc.narg('actor')::text)
  AND (sqlc.narg('since')::timestamptz IS NULL OR l.at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR l.at < sqlc.narg('until')::timestamptz)
  AND (sqlc.narg('before_at')::timestamptz IS NULL
       OR (l.at, l.id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
ORDER BY l.at DESC, l.id DESC
LIMIT @page_size;

-- Of entries without a project only, which no project takes along when it is deleted; in bounded steps.
-- name: AuditPrune :execrows
DELETE FROM audit_log l WHERE l.project_id = '00000000-0000-0000-0000-000000000000' AND l.id IN (
    SELECT i.id FROM audit_log i WHERE i.project_id = '00000000-0000-0000-0000-000000000000' AND i.at < @before::timestamptz
    ORDER BY i.at LIMIT 1000
);
