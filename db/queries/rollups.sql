-- Adds the counts of one transaction. The rows are unique and sorted by the primary key, so that two transactions
-- lock in the same order and cannot deadlock.
-- name: CountsAdd :exec
INSERT INTO event_counts (project_id, granularity, name, bucket, count)
SELECT t.project_id, t.granularity, t.name, t.bucket, t.count
FROM (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@granularities::int[]) AS granularity,
             unnest(@names::text[]) AS name, unnest(@buckets::timestamptz[]) AS bucket,
             unnest(@counts::bigint[]) AS count) AS t
ON CONFLICT (project_id, granularity, name, bucket) DO UPDATE SET count = event_counts.count + excluded.count;

-- The first project after another that has counts. Repeated, it is a loose index scan with one step for each project.
-- A recursive query would do so in one statement, but not where Citus distributes the table.
-- name: RollupCountedAfter :one
SELECT c.project_id FROM event_counts c WHERE c.project_id > @project_id ORDER BY c.project_id LIMIT 1;

-- The same for projects with events.
-- name: RollupStoredAfter :one
SELECT e.project_id FROM events e WHERE e.project_id > @project_id ORDER BY e.project_id LIMIT 1;

-- All projects, including those that are being deleted.
-- name: RollupProjects :many
SELECT p.id, (p.deleted_at IS NOT NULL)::boolean AS deleted FROM projects p;

-- The UTC days on which a project has events or counts of any granularity: events by a loose index scan from the
-- first id of one day to that of the next, counts by reading them all, because a wrong one may be anywhere.
-- name: RollupDays :many
WITH RECURSIVE first AS (
    (SELECT e.id AS event_id FROM events e WHERE e.project_id = @project_id ORDER BY e.id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.id FROM events e
            WHERE e.project_id = @project_id
              AND e.id >= event_id_floor(to_timestamp(
                  (('x' || left(replace(r.event_id::text, '-', ''), 12))::bit(48)::bigint / 86400000 + 1) * 86400))
            ORDER BY e.id LIMIT 1)
    FROM first r WHERE r.event_id IS NOT NULL
)
SELECT to_timestamp(('x' || left(replace(r.event_id::text, '-', ''), 12))::bit(48)::bigint / 86400000 * 86400)::timestamptz AS day
FROM first r WHERE r.event_id IS NOT NULL
UNION
SELECT date_bin('1 day', c.bucket, '1970-01-01Z') FROM event_counts c WHERE c.project_id = @project_id
ORDER BY 1;

-- The counts of one project in one UTC day that differ from its events, in the order in which ingestion locks. It is
-- one statement, so both sides are of one snapshot, whatever is stored meanwhile. The counts are found name by name:
-- the key has the name before the bucket, and a range of buckets alone would read all counts of the project for each
-- day. The names come from a loose index scan over all granularities, so that rows which should not exist at all are
-- found too. OFFSET 0 keeps the planner from making a join of it. The condition on the minute leaves out events whose
-- id does not begin with their ts: no reader finds those.
-- name: RollupDifferences :many
WITH RECURSIVE runs AS (
    (SELECT c.granularity, c.name FROM event_counts c
     WHERE c.project_id = @project_id ORDER BY c.granularity, c.name LIMIT 1)
    UNION ALL
    SELECT n.granularity, n.name FROM runs r CROSS JOIN LATERAL (
        SELECT c.granularity, c.name FROM event_counts c
        WHERE c.project_id = @project_id AND (c.granularity, c.name) > (r.granularity, r.name)
        ORDER BY c.granularity, c.name LIMIT 1
    ) AS n
), has AS (
    SELECT r.granularity, r.name, b.bucket, b.count FROM runs r CROSS JOIN LATERAL (
        SELECT c.bucket, c.count FROM event_counts c
        WHERE c.project_id = @project_id AND c.granularity = r.granularity AND c.name = r.name
          AND c.bucket >= @since::timestamptz AND c.bucket < @until::timestamptz
        OFFSET 0
    ) AS b
), minutes AS MATERIALIZED (
    SELECT (CASE WHEN e.counted_as_other THEN '$other' ELSE e.name END) AS name,
           date_bin('1 minute', e.ts, '1970-01-01Z') AS minute, count(*) AS count FROM events e
    WHERE e.project_id = @project_id AND e.id >= event_id_floor(@since::timestamptz)
      AND e.id < event_id_floor(@until::timestamptz)
    GROUP BY 1, 2
), should AS (
    SELECT g.granularity, n.name, date_bin(g.granularity * interval '1 second', m.minute, '1970-01-01Z') AS bucket,
           sum(m.count) AS count
    FROM minutes m CROSS JOIN unnest('{60,3600,86400}'::int[]) AS g(granularity)
    CROSS JOIN LATERAL unnest(ARRAY[m.name, '']) AS n(name)
    WHERE m.minute >= @since::timestamptz AND m.minute < @until::timestamptz
    GROUP BY 1, 2, 3
)
SELECT coalesce(h.granularity, s.granularity)::int AS granularity, coalesce(h.name, s.name)::text AS name,
       coalesce(h.bucket, s.bucket)::timestamptz AS bucket, (h.count IS NOT NULL)::boolean AS there,
       coalesce(h.count, 0)::bigint AS has, coalesce(s.count, 0)::bigint AS should, count(*) OVER () AS differences
FROM has h FULL JOIN should s ON h.granularity = s.granularity AND h.name = s.name AND h.bucket = s.bucket
WHERE h.count IS DISTINCT FROM s.count
ORDER BY 1, coalesce(h.name, s.name) COLLATE "C", 3
LIMIT @max_rows;

-- name: RollupProjectDeleted :one
SELECT EXISTS (SELECT 1 FROM projects p WHERE p.id = @id AND p.deleted_at IS NOT NULL)::boolean AS deleted;

-- Two repairs of one project must not be computed from the same counts. Ingestion does not take this lock. It belongs
-- to the session, because one repair is many transactions.
-- name: RollupRepairLock :exec
SELECT pg_advisory_lock(hashtext('nimbus.rollups'), hashtext(@project_id::text));

-- The same lock for the one transaction that deletes events and lowers their counts.
-- name: RollupEraseLock :exec
SELECT pg_advisory_xact_lock(hashtext('nimbus.rollups'), hashtext(@project_id::text));

-- name: RollupRepairUnlock :one
SELECT pg_advisory_unlock(hashtext('nimbus.rollups'), hashtext(@project_id::text))::boolean AS held;

-- Removes those of the given counts that are 0. Their rows are locked already.
-- name: CountsDropZero :exec
DELETE FROM event_counts c
USING (SELECT unnest(@granularities::int[]) AS granularity, unnest(@names::text[]) AS name,
              unnest(@buckets::timestamptz[]) AS bucket) AS t
WHERE c.project_id = @project_id AND c.granularity = t.granularity AND c.name = t.name AND c.bucket = t.bucket
  AND c.count = 0;
