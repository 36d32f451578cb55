-- An incremental export is a consumer of a project's arrivals: its row says up to where they may be gone. seq is -1 while it is
-- being made.

-- name: ExportBegin :exec
INSERT INTO arrival_cursors (project_id, consumer, xid, seq, generation) VALUES (@project_id, 'export', '0', -1, @generation::uuid)
ON CONFLICT DO NOTHING;

-- What was gone before the row was there may be gone.
-- name: ExportReady :exec
UPDATE arrival_cursors SET xid = (@xid::text)::xid8, seq = 9223372036854775807
WHERE project_id = @project_id AND consumer = 'export' AND seq = -1;

-- Up to where arrivals may be gone.
-- name: ExportKept :one
SELECT c.generation::uuid AS generation, c.xid::text AS xid, c.seq FROM arrival_cursors c
WHERE c.project_id = @project_id AND c.consumer = 'export' AND c.seq >= 0;

-- name: ExportUsed :exec
UPDATE arrival_cursors SET updated_at = now()
WHERE project_id = @project_id AND consumer = 'export' AND updated_at < now() - interval '1 hour';

-- Arrivals that are older than a time may go.
-- name: ExportMove :exec
UPDATE arrival_cursors c SET xid = t.xid, seq = t.seq
FROM (SELECT a.xid, a.seq FROM arrivals a WHERE a.project_id = @project_id AND a.created_at < @before
      ORDER BY a.xid DESC, a.seq DESC LIMIT 1) AS t
WHERE c.project_id = @project_id AND c.consumer = 'export' AND c.seq >= 0 AND (c.xid, c.seq) < (t.xid, t.seq);

-- name: ExportForget :exec
DELETE FROM arrival_cursors c WHERE c.project_id = @project_id AND c.consumer = 'export' AND c.updated_at < @before;

-- The next events of a range, and whether each is asked for.
-- name: ExportHistory :many
SELECT sqlc.embed(e), (e.ts >= @since AND e.ts < @until
    AND (sqlc.narg('names')::text[] IS NULL OR e.name = ANY(sqlc.narg('names')::text[]))
    AND (sqlc.narg('user_id')::text IS NULL OR coalesce(e.user_id = sqlc.narg('user_id'), false))
    AND (sqlc.narg('props')::jsonb IS NULL OR e.props @> sqlc.narg('props')::jsonb))::boolean AS wanted
FROM events e
WHERE e.project_id = @project_id AND e.id >= @id_from AND e.id < @id_to
ORDER BY e.id LIMIT @page_size;

-- Those of some events, which are within a range, that are asked for.
-- name: ExportEvents :many
SELECT e.* FROM events e
WHERE e.project_id = @project_id AND e.id = ANY(@event_ids::uuid[]) AND e.id >= @id_from AND e.id <= @id_to
  AND e.ts >= @since AND e.ts < @until
  AND (sqlc.narg('names')::text[] IS NULL OR e.name = ANY(sqlc.narg('names')::text[]))
  AND (sqlc.narg('user_id')::text IS NULL OR e.user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('props')::jsonb IS NULL OR e.props @> sqlc.narg('props')::jsonb);

-- What arrived from a transaction on, with events between two times.
-- name: ExportNewer :many
SELECT a.ids AS event_ids FROM arrivals a
WHERE a.project_id = @project_id AND a.xid >= (@xid::text)::xid8 AND a.min_ts <= @until::timestamptz AND a.max_ts >= @since::timestamptz;

-- The next arrivals below a horizon.
-- name: ExportArrivals :many
SELECT a.xid::text AS xid, a.seq, a.ids AS event_ids FROM arrivals a
WHERE a.project_id = @project_id AND (a.xid, a.seq) > ((@xid::text)::xid8, @seq::bigint) AND a.xid < (@horizon::text)::xid8
ORDER BY a.xid, a.seq LIMIT @max_rows;
