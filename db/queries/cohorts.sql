-- name: CohortCreate :exec
INSERT INTO cohorts (project_id, id, name, description, clause, listed, created_by)
VALUES (@project_id, @id, @name, @description, @clause, @listed, @created_by);

-- Newest first; ids are version 7, so the order of ids is the order of creation.
-- name: Cohorts :many
SELECT * FROM cohorts WHERE project_id = @project_id ORDER BY id DESC;

-- name: Cohort :one
SELECT * FROM cohorts WHERE project_id = @project_id AND id = @id;

-- name: CohortUpdate :execrows
UPDATE cohorts SET
    name = coalesce(sqlc.narg('name'), name),
    description = coalesce(sqlc.narg('description'), description),
    clause = coalesce(sqlc.narg('clause'), clause),
    listed = coalesce(sqlc.narg('listed'), listed),
    version = version + 1,
    updated_by = @updated_by,
    updated_at = now()
WHERE project_id = @project_id AND id = @id;

-- name: CohortDelete :execrows
DELETE FROM cohorts WHERE project_id = @project_id AND id = @id;

-- What names a cohort, in a clause or a breakdown: other cohorts, insights, and boards by their insights. An insight may name it
-- by its name, too.
-- name: CohortUses :many
SELECT 'cohort'::text AS kind, c.id, c.name FROM cohorts c
WHERE c.project_id = @project_id AND c.id <> @id AND jsonb_path_exists(c.clause, '$.**.cohort ? (@ == $id)',
    jsonb_build_object('id', (@id::uuid)::text))
UNION ALL
SELECT 'insight', i.id, i.name FROM insights i
WHERE i.project_id = @project_id AND jsonb_path_exists(i.question, '$.** ? (@.op == "in" && (@.cohort == $id || @.cohort == $name) || @.cohorts[*] == $id || @.cohorts[*] == $name)',
    jsonb_build_object('id', (@id::uuid)::text, 'name', @name::text))
UNION ALL
SELECT DISTINCT 'board', b.id, b.name FROM boards b
JOIN tiles t ON t.project_id = b.project_id AND t.board_id = b.id
JOIN insights i ON i.project_id = t.project_id AND i.id = t.insight_id
WHERE b.project_id = @project_id AND jsonb_path_exists(i.question, '$.** ? (@.op == "in" && (@.cohort == $id || @.cohort == $name) || @.cohorts[*] == $id || @.cohorts[*] == $name)',
    jsonb_build_object('id', (@id::uuid)::text, 'name', @name::text))
ORDER BY 1, 3, 2;
