-- The limits of some projects, what they stored on a day, and how much there is of them. Null where the instance's default
-- holds. A project that is not there any more is left out.
-- name: QuotaLoad :many
SELECT p.id, l.events_per_day, l.stored_bytes, l.event_names,
       coalesce(u.events, 0)::bigint AS events, coalesce(s.bytes, 0)::bigint AS bytes
FROM projects p
LEFT JOIN project_limits l ON l.project_id = p.id
LEFT JOIN project_usage u ON u.project_id = p.id AND u.day = @day::date
LEFT JOIN project_sizes s ON s.project_id = p.id
WHERE p.id = ANY(@ids::uuid[]);

-- The names under which a project has counts: hopped through by index, as many steps as there are names.
-- name: QuotaNames :many
WITH RECURSIVE names AS (
    (SELECT c.name FROM event_counts c WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name > '' ORDER BY c.name LIMIT 1)
    UNION ALL
    SELECT (SELECT c.name FROM event_counts c
            WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name > n.name ORDER BY c.name LIMIT 1)
    FROM names n WHERE n.name IS NOT NULL
)
SELECT n.name::text AS name FROM names n WHERE n.name IS NOT NULL LIMIT @max_names::int;

-- Adds what this node stored. In the order of the ids, so that two nodes do not deadlock.
-- name: UsageAdd :exec
INSERT INTO project_usage (project_id, day, events, bytes)
SELECT p.id, @day::date, t.events, t.bytes
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@events::bigint[]) AS events, unnest(@bytes::bigint[]) AS bytes) AS t
JOIN projects p ON p.id = t.id
ORDER BY p.id
ON CONFLICT (project_id, day) DO UPDATE SET events = project_usage.events + excluded.events, bytes = project_usage.bytes + excluded.bytes;

-- name: SizesAdd :exec
INSERT INTO project_sizes (project_id, events, names, bytes, measured_at)
SELECT p.id, 0, 0, t.bytes, 'epoch'
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@bytes::bigint[]) AS bytes) AS t
JOIN projects p ON p.id = t.id
ORDER BY p.id
ON CONFLICT (project_id) DO UPDATE SET bytes = project_sizes.bytes + excluded.bytes;

-- The projects to measure: those that stored something yesterday or today, and those that were measured long ago.
-- name: SizesDue :many
SELECT p.id FROM projects p LEFT JOIN project_sizes s ON s.project_id = p.id
WHERE p.deleted_at IS NULL AND (coalesce(s.measured_at, 'epoch') < @long_ago::timestamptz
    OR EXISTS (SELECT FROM project_usage u WHERE u.project_id = p.id AND u.day >= @yesterday::date))
ORDER BY p.id;

-- How many events a project has, and how many counts, of how many names.
-- name: SizeCount :one
SELECT coalesce(sum(c.count) FILTER (WHERE c.granularity = 86400 AND c.name = ''), 0)::bigint AS events, count(*) AS counts,
       (count(DISTINCT c.name) FILTER (WHERE c.granularity = 86400 AND c.name <> ''))::int AS names
FROM event_counts c WHERE c.project_id = @project_id;

-- How many operations on profiles a project has.
-- name: SizeOperations :one
SELECT count(*) AS operations FROM profile_operations o WHERE o.project_id = @project_id;

-- What an event of a project takes, by those it stored; 0 when none is known.
-- name: UsageBytesPerEvent :one
SELECT coalesce(sum(u.bytes) / nullif(sum(u.events), 0), 0)::float8 AS bytes FROM project_usage u WHERE u.project_id = @project_id;

-- name: SizeSet :exec
INSERT INTO project_sizes (project_id, events, names, bytes, measured_at)
SELECT p.id, @events, @names, @bytes, @measured_at FROM projects p WHERE p.id = @project_id
ON CONFLICT (project_id) DO UPDATE SET events = excluded.events, names = excluded.names, bytes = excluded.bytes, measured_at = excluded.measured_at;

-- name: SizeGet :one
SELECT * FROM project_sizes WHERE project_id = @project_id;

-- name: UsageDays :many
SELECT u.day, u.events, u.bytes FROM project_usage u WHERE u.project_id = @project_id AND u.day > @after::date ORDER BY u.day;

-- name: UsagePrune :exec
DELETE FROM project_usage WHERE day < @before::date;

-- name: LimitsGet :one
SELECT * FROM project_limits WHERE project_id = @project_id;

-- name: LimitsSet :execrows
INSERT INTO project_limits (project_id, events_per_day, stored_bytes, event_names)
SELECT p.id, sqlc.narg('events_per_day'), sqlc.narg('stored_bytes'), sqlc.narg('event_names') FROM projects p WHERE p.id = @project_id
ON CONFLICT (project_id) DO UPDATE SET events_per_day = excluded.events_per_day, stored_bytes = excluded.stored_bytes,
    event_names = excluded.event_names, updated_at = now();
