-- Keeps items of one project, each once, as far as there is room. A count that stops at the limit reads an index, not the
-- table.
-- name: QuarantineAdd :execrows
INSERT INTO quarantine (project_id, id, received_at, dialect, operation, sdk, reason, detail, body, hash)
SELECT @project_id::uuid, t.id, @received_at::timestamptz, @dialect::text, @operation::text, @sdk::text, t.reason, t.detail, t.body, t.hash
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@reasons::text[]) AS reason, unnest(@details::text[]) AS detail,
             unnest(@bodies::text[]) AS body, unnest(@hashes::uuid[]) AS hash) AS t
WHERE (SELECT count(*) FROM (SELECT FROM quarantine WHERE quarantine.project_id = @project_id::uuid LIMIT @max_items::int) AS there) < @max_items::int
ON CONFLICT DO NOTHING;

-- A page of a project's items, newest first.
-- name: QuarantineList :many
SELECT id, received_at, dialect, operation, sdk, reason, detail, body FROM quarantine
WHERE project_id = @project_id AND (sqlc.narg('after')::uuid IS NULL OR id < sqlc.narg('after')::uuid)
ORDER BY id DESC
LIMIT @page_size::int;

-- The items with these ids that are there.
-- name: QuarantineGet :many
SELECT id, received_at, dialect, operation, sdk, reason, detail, body FROM quarantine
WHERE project_id = @project_id AND id = ANY(@ids::uuid[]);

-- name: QuarantineDelete :execrows
DELETE FROM quarantine WHERE project_id = @project_id AND id = ANY(@ids::uuid[]);

-- name: QuarantinePrune :execrows
DELETE FROM quarantine WHERE received_at < @before::timestamptz;
