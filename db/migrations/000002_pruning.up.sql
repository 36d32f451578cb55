-- 0 keeps events for ever; otherwise the days after which the pruning job removes them.
ALTER TABLE projects ADD COLUMN data_retention_days int NOT NULL DEFAULT 0
    CONSTRAINT projects_data_retention_days_check CHECK (data_retention_days BETWEEN 0 AND 3650);
-- How far the removal of a deleted project is.
ALTER TABLE projects ADD COLUMN purge_started_at timestamptz;
ALTER TABLE projects ADD COLUMN events_deleted bigint NOT NULL DEFAULT 0;

-- Deletes the events of a project from one id up to, not including, another, takes them out of event_counts, and says
-- how many they were. Both happen in the caller's transaction, so that the counts are those of the events at every
-- commit.
--
-- The counts are changed by INSERT … ON CONFLICT in the order in which ingestion does it, after the events have been
-- deleted, as ingestion counts after it has inserted: the two wait for each other and do not deadlock. A row that comes
-- to nothing is deleted, under the lock that the change has taken; who waits for it to count a new event then inserts it
-- anew.
--
-- The bounds decide which partitions are looked at, so every call is planned for its own. The rows to delete are found
-- by the primary key, each by itself: any other join reads all counts of all projects in every step.
CREATE FUNCTION delete_events(project uuid, from_id uuid, to_id uuid) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    deleted bigint;
    empty_granularities int[];
    empty_names text[];
    empty_buckets timestamptz[];
BEGIN
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

-- Drops the partition of a UTC month if it holds nothing, and says whether it did. Dropping needs the whole of events
-- for itself: it waits at most a tenth of a second for that, and then gives up with lock_not_available, because whoever
-- comes after it waits behind it. Nobody can be in the middle of using the partition once the lock is there. A
-- size of zero is the sign that it holds nothing: to look for a row could take long where many have been deleted, and
-- VACUUM gives their space back.
--
-- The parent is locked before the partition, as by everyone who comes through the parent; the other order deadlocks.
CREATE FUNCTION drop_empty_event_partition(month timestamptz) RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    partition text := 'events_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.event_partitions'));
    IF to_regclass(partition) IS NULL OR pg_relation_size(to_regclass(partition)) > 0 THEN
        RETURN false;
    END IF;
    LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE;
    IF pg_relation_size(to_regclass(partition)) > 0 THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %I', partition);
    RETURN true;
END
$$;
