-- A question is kept as the body of the operation that answers it; its kind stands beside it.
-- name: InsightCreate :exec
INSERT INTO insights (project_id, id, name, description, kind, question, view, created_by)
VALUES (@project_id, @id, @name, @description, @kind, (@question::jsonb) - 'kind', @view, @created_by);

-- name: InsightCount :one
SELECT count(*) FROM insights WHERE project_id = @project_id;

-- Newest first; ids are version 7, so the order of ids is the order of creation.
-- name: Insights :many
SELECT * FROM insights WHERE project_id = @project_id ORDER BY id DESC;

-- name: Insight :one
SELECT * FROM insights WHERE project_id = @project_id AND id = @id;

-- name: InsightUpdate :execrows
UPDATE insights SET
    name = coalesce(sqlc.narg('name'), name),
    description = coalesce(sqlc.narg('description'), description),
    kind = coalesce(sqlc.narg('kind'), kind),
    question = coalesce((sqlc.narg('question')::jsonb) - 'kind', question),
    view = coalesce(sqlc.narg('view'), view),
    version = version + 1,
    updated_by = @updated_by,
    updated_at = now()
WHERE project_id = @project_id AND id = @id;

-- name: InsightDelete :execrows
DELETE FROM insights WHERE project_id = @project_id AND id = @id;

-- Which of these insights the project has.
-- name: InsightsPresent :many
SELECT id FROM insights WHERE project_id = @project_id AND id = ANY(@insight_ids::uuid[]);

-- The insights that ask about a custom event, the first few of them.
-- name: InsightsOfCustomEvent :many
SELECT name FROM insights
WHERE project_id = @project_id AND (
    jsonb_path_exists(question, '$.**.custom_event ? (@ == $id)', jsonb_build_object('id', @custom_event_id::uuid))
    OR jsonb_path_exists(question, '$.custom_events[*] ? (@ == $id)', jsonb_build_object('id', @custom_event_id::uuid)))
ORDER BY id LIMIT 6;

-- name: BoardCreate :exec
INSERT INTO boards (project_id, id, name, description, created_by) VALUES (@project_id, @id, @name, @description, @created_by);

-- name: BoardCount :one
SELECT count(*) FROM boards WHERE project_id = @project_id;

-- name: Boards :many
SELECT * FROM boards WHERE project_id = @project_id ORDER BY id DESC;

-- name: Board :one
SELECT * FROM boards WHERE project_id = @project_id AND id = @id;

-- name: BoardUpdate :execrows
UPDATE boards SET
    name = coalesce(sqlc.narg('name'), name),
    description = coalesce(sqlc.narg('description'), description),
    version = version + 1,
    updated_by = @updated_by,
    updated_at = now()
WHERE project_id = @project_id AND id = @id;

-- Before an insight goes, with its tiles: the boards that it is on change by that.
-- name: BoardsLoseInsight :exec
UPDATE boards b SET version = b.version + 1, updated_by = @updated_by, updated_at = now()
WHERE b.project_id = @project_id AND b.id IN (SELECT t.board_id FROM tiles t WHERE t.project_id = @project_id AND t.insight_id = @insight_id);

-- name: BoardDelete :execrows
DELETE FROM boards WHERE project_id = @project_id AND id = @id;

-- name: TilesOfProject :many
SELECT * FROM tiles WHERE project_id = @project_id ORDER BY board_id, y, x;

-- name: TilesOfBoard :many
SELECT * FROM tiles WHERE project_id = @project_id AND board_id = @board_id ORDER BY y, x;

-- name: TilesClear :exec
DELETE FROM tiles WHERE project_id = @project_id AND board_id = @board_id;

-- The zero id is no insight, and the empty text no text.
-- name: TilesAdd :exec
INSERT INTO tiles (project_id, board_id, x, y, w, h, insight_id, text)
SELECT @project_id, @board_id, t.x, t.y, t.w, t.h, nullif(t.insight_id, '00000000-0000-0000-0000-000000000000'), nullif(t.text, '')
FROM (SELECT unnest(@xs::int[]) AS x, unnest(@ys::int[]) AS y, unnest(@ws::int[]) AS w, unnest(@hs::int[]) AS h,
    unnest(@insight_ids::uuid[]) AS insight_id, unnest(@texts::text[]) AS text) AS t;

-- name: AnnotationCreate :exec
INSERT INTO annotations (project_id, id, ts, until, text, created_by) VALUES (@project_id, @id, @ts, @until, @text, @created_by);

-- name: AnnotationCount :one
SELECT count(*) FROM annotations WHERE project_id = @project_id;

-- Those that touch a range. A moment is in the range that begins with it, and a while that ends where the range begins is not.
-- name: Annotations :many
SELECT * FROM annotations
WHERE project_id = @project_id
  AND (sqlc.narg('from_ts')::timestamptz IS NULL OR until > sqlc.narg('from_ts') OR ts >= sqlc.narg('from_ts'))
  AND (sqlc.narg('to_ts')::timestamptz IS NULL OR ts < sqlc.narg('to_ts'))
ORDER BY ts, id;

-- name: Annotation :one
SELECT * FROM annotations WHERE project_id = @project_id AND id = @id;

-- name: AnnotationUpdate :exec
UPDATE annotations SET ts = @ts, until = @until, text = @text, version = version + 1, updated_by = @updated_by, updated_at = now()
WHERE project_id = @project_id AND id = @id;

-- name: AnnotationDelete :execrows
DELETE FROM annotations WHERE project_id = @project_id AND id = @id;

-- name: CustomEventCreate :exec
INSERT INTO custom_events (project_id, id, name, description, events, created_by)
VALUES (@project_id, @id, @name, @description, @events, @created_by);

-- name: CustomEventCount :one
SELECT count(*) FROM custom_events WHERE project_id = @project_id;

-- name: CustomEvents :many
SELECT * FROM custom_events WHERE project_id = @project_id ORDER BY id DESC;

-- name: CustomEvent :one
SELECT * FROM custom_events WHERE project_id = @project_id AND id = @id;

-- name: CustomEventUpdate :execrows
UPDATE custom_events SET
    name = coalesce(sqlc.narg('name'), name),
    description = coalesce(sqlc.narg('description'), description),
    events = coalesce(sqlc.narg('events'), events),
    version = version + 1,
    updated_by = @updated_by,
    updated_at = now()
WHERE project_id = @project_id AND id = @id;

-- name: CustomEventDelete :execrows
DELETE FROM custom_events WHERE project_id = @project_id AND id = @id;
