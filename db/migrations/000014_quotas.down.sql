-- What is counted under $other would be taken out of the counts of its name: those events lose their counts, and
-- nimbus rollups rebuild puts them right.
CREATE OR REPLACE FUNCTION delete_events(project uuid, from_id uuid, to_id uuid) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    deleted bigint;
    empty_granularities int[];
    empty_names text[];
    empty_buckets timestamptz[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.rollups'), hashtext(project::text));
    WITH gone AS (
        DELETE FROM events e WHERE e.project_id = project AND e.id >= from_id AND e.id < to_id RETURNING e.name, e.ts
    ), minutes AS (
        SELECT g.name, date_bin('1 minute', g.ts, 'epoch') AS minute, count(*) AS count FROM gone g GROUP BY 1, 2
    ), buckets AS (
        SELECT r.granularity, n.name, date_bin(r.width, m.minute, 'epoch') AS bucket, sum(m.count) AS count
        FROM minutes m
        CROSS JOIN (VALUES (60, interval '1 minute'), (3600, '1 hour'), (86400, '1 day')) AS r(granularity, width)
        CROSS JOIN LATERAL (VALUES (m.name), ('')) AS n(name)
        GROUP BY 1, 2, 3
    ), changed AS (
        INSERT INTO event_counts (project_id, granularity, name, bucket, count)
        SELECT project, b.granularity, b.name, b.bucket, -b.count FROM buckets b
        ORDER BY b.granularity, b.name COLLATE "C", b.bucket
        ON CONFLICT (project_id, granularity, name, bucket) DO UPDATE SET count = event_counts.count + excluded.count
        RETURNING granularity, name, bucket, count
    )
    SELECT (SELECT coalesce(sum(m.count), 0) FROM minutes m),
           array_agg(c.granularity), array_agg(c.name), array_agg(c.bucket)
    INTO deleted, empty_granularities, empty_names, empty_buckets
    FROM changed c WHERE c.count <= 0;

    DELETE FROM event_counts c
    USING unnest(empty_granularities, empty_names, empty_buckets) AS z(granularity, name, bucket)
    WHERE c.project_id = project AND c.granularity = z.granularity AND c.name = z.name AND c.bucket = z.bucket;
    RETURN deleted;
END
$$;
ALTER TABLE events DROP COLUMN counted_as_other;
DROP TABLE project_sizes;
DROP TABLE project_usage;
DROP TABLE project_limits;
