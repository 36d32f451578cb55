-- name: ReportCreate :exec
INSERT INTO reports (project_id, id, name, description, question, view, created_by)
VALUES (@project_id, @id, @name, @description, @question, @view, @created_by);

-- name: ReportCount :one
SELECT count(*) FROM reports WHERE project_id = @project_id;

-- Newest first; ids are version 7, so the order of ids is the order of creation.
-- name: Reports :many
SELECT * FROM reports WHERE project_id = @project_id ORDER BY id DESC;

-- name: Report :one
SELECT * FROM reports WHERE project_id = @project_id AND id = @id;

-- name: ReportUpdate :execrows
UPDATE reports SET
    name = coalesce(sqlc.narg('name'), name),
    description = coalesce(sqlc.narg('description'), description),
    question = coalesce(sqlc.narg('question'), question),
    view = coalesce(sqlc.narg('view'), view),
    version = version + 1,
    updated_by = @updated_by,
    updated_at = now()
WHERE project_id = @project_id AND id = @id;

-- name: ReportDelete :execrows
DELETE FROM reports WHERE project_id = @project_id AND id = @id;

-- Which of these reports the project has.
-- name: ReportsPresent :many
SELECT id FROM reports WHERE project_id = @project_id AND id = ANY(@report_ids::uuid[]);

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

-- Before a report goes, with its tiles: the boards that it is on change by that.
-- name: BoardsLoseReport :exec
UPDATE boards b SET version = b.version + 1, updated_by = @updated_by, updated_at = now()
WHERE b.project_id = @project_id AND b.id IN (SELECT t.board_id FROM board_tiles t WHERE t.project_id = @project_id AND t.report_id = @report_id);

-- name: BoardDelete :execrows
DELETE FROM boards WHERE project_id = @project_id AND id = @id;

-- name: BoardTilesOfProject :many
SELECT * FROM board_tiles WHERE project_id = @project_id ORDER BY board_id, position;

-- name: BoardTiles :many
SELECT * FROM board_tiles WHERE project_id = @project_id AND board_id = @board_id ORDER BY position;

-- name: BoardTilesClear :exec
DELETE FROM board_tiles WHERE project_id = @project_id AND board_id = @board_id;

-- name: BoardTilesAdd :exec
INSERT INTO board_tiles (project_id, board_id, position, report_id, width)
SELECT @project_id, @board_id, generate_series(0, cardinality(@report_ids::uuid[]) - 1), unnest(@report_ids::uuid[]), unnest(@widths::text[]);
