-- What the operator allows a project. Null is the default of the instance, 0 is no limit.
CREATE TABLE project_limits (
    project_id     uuid PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
    events_per_day bigint CHECK (events_per_day >= 0),
    stored_bytes   bigint CHECK (stored_bytes >= 0),
    event_names    int CHECK (event_names >= 0),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- What was stored on each UTC day, whatever the time of the events. Nodes add to it every few seconds.
CREATE TABLE project_usage (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    day        date NOT NULL,
    events     bigint NOT NULL,
    bytes      bigint NOT NULL,
    PRIMARY KEY (project_id, day)
);
CREATE INDEX project_usage_day_idx ON project_usage (day);

-- How much of a project is there: measured now and then, with what was stored since added to bytes.
CREATE TABLE project_sizes (
    project_id  uuid PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
    events      bigint NOT NULL,
    names       int NOT NULL,
    bytes       bigint NOT NULL,
    measured_at timestamptz NOT NULL
);

-- True of an event whose name was one too many when it was stored: it is counted under $other. It is written here because
-- limits change, and what takes an event out of the counts must know where it is in them. Null, as nearly always, takes no room.
ALTER TABLE events ADD COLUMN counted_as_other boolean;

-- As before, and with the name under which an event is counted.
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
        DELETE FROM events e WHERE e.project_id = project AND e.id >= from_id AND e.id < to_id
        RETURNING CASE WHEN e.counted_as_other THEN '$other' ELSE e.name END AS name, e.ts
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
