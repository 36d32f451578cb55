-- A partition of events holds one month, or several months where they are long ago, so that nobody can make hundreds of
-- tables by sending events of hundreds of months: every list of every project would plan and lock all of them. A table is
-- named by its month, events_YYYYMM; when it has several, by the first one and the one after the last.

-- The partitions there are, and the time they hold.
CREATE FUNCTION event_partitions() RETURNS TABLE (name text, since timestamptz, until timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT p.name, p.since, coalesce(p.until, date_trunc('month', p.since + interval '32 days', 'UTC'))
    FROM (
        SELECT c.relname::text AS name,
               make_timestamptz(substr(c.relname, 8, 4)::int, substr(c.relname, 12, 2)::int, 1, 0, 0, 0, 'UTC') AS since,
               CASE WHEN length(c.relname) > 13
                    THEN make_timestamptz(substr(c.relname, 15, 4)::int, substr(c.relname, 19, 2)::int, 1, 0, 0, 0, 'UTC') END AS until
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_[0-9]{6}(_[0-9]{6})?$'
    ) AS p
$$;

-- Makes the table for a time, not attached yet, and returns its name. The caller has the lock of partitions.
CREATE FUNCTION new_event_partition(since timestamptz, until timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'events_' || to_char(since AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    IF until > date_trunc('month', since + interval '32 days', 'UTC') THEN
        partition := partition || '_' || to_char(until AT TIME ZONE 'UTC', 'YYYYMM');
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', partition);
    RETURN partition;
END
$$;

-- Attaching a finished table takes a lock that lets reads and writes go on; CREATE TABLE … PARTITION OF would stop them.
CREATE FUNCTION attach_event_partition(partition text, since timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, event_id_floor(since), event_id_floor(until));
END
$$;

-- Makes the partition for a time, unless there is one, and returns its name: that of its month from months_since on, that
-- of its year from years_since on, and one for all that is older. Both bounds are the beginning of a year. A partition is
-- cut off where a neighbour begins or ends, so that any order of calls, and any bounds, fit together.
CREATE FUNCTION ensure_event_partition(at timestamptz, months_since timestamptz, years_since timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    partition text;
    lo timestamptz;
    hi timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.event_partitions'));
    SELECT p.name INTO partition FROM event_partitions() AS p WHERE p.since <= at AND at < p.until;
    IF FOUND THEN
        RETURN partition;
    END IF;
    IF at >= months_since THEN
        lo := date_trunc('month', at, 'UTC');
        hi := date_trunc('month', lo + interval '32 days', 'UTC');
    ELSIF at >= years_since THEN
        lo := date_trunc('year', at, 'UTC');
        hi := date_trunc('year', lo + interval '367 days', 'UTC');
    ELSE
        lo := '1970-01-01T00:00:00Z';
        hi := years_since;
    END IF;
    SELECT greatest(lo, max(p.until) FILTER (WHERE p.until <= at)), least(hi, min(p.since) FILTER (WHERE p.since > at))
    INTO lo, hi FROM event_partitions() AS p;
    partition := new_event_partition(lo, hi);
    PERFORM attach_event_partition(partition, lo, hi);
    RETURN partition;
END
$$;

-- For nodes of the version before, and for backups they made: the partition of a month, unless the time has one already.
CREATE OR REPLACE FUNCTION ensure_event_partition(month timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.event_partitions'));
    IF EXISTS (SELECT FROM event_partitions() AS p WHERE p.since <= month AND month < p.until) THEN
        RETURN false;
    END IF;
    PERFORM ensure_event_partition(month, '-infinity', '-infinity');
    RETURN true;
END
$$;

-- As drop_empty_event_partition was, for a partition of any time.
CREATE FUNCTION drop_event_partition_if_empty(partition text) RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    used boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.event_partitions'));
    IF NOT EXISTS (SELECT FROM event_partitions() AS p WHERE p.name = partition) OR pg_relation_size(to_regclass(partition)) > 0 THEN
        RETURN false;
    END IF;
    LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE;
    IF pg_relation_size(to_regclass(partition)) > 0 THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', partition) INTO used;
    IF used THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %I', partition);
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION drop_empty_event_partition(month timestamptz) RETURNS boolean
LANGUAGE sql AS $$
    SELECT drop_event_partition_if_empty('events_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM'))
$$;

-- Makes one partition of those within a time, and says how many they were; 0 when they are fewer than two or larger than
-- max_bytes together. Nobody reads or writes events meanwhile, so max_bytes must be little. It waits at most a tenth of a
-- second for that, and then gives up with lock_not_available. Citus has its own idea of a partition: there none is merged.
CREATE FUNCTION merge_event_partitions(within_since timestamptz, within_until timestamptz, max_bytes bigint) RETURNS int
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    parts text[];
    part text;
    merged text;
    lo timestamptz;
    hi timestamptz;
    bytes bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.event_partitions'));
    IF to_regclass('pg_dist_partition') IS NOT NULL THEN
        RETURN 0;
    END IF;
    LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE;
    SELECT array_agg(p.name ORDER BY p.since), min(p.since), max(p.until), sum(pg_relation_size(to_regclass(p.name)))
    INTO parts, lo, hi, bytes
    FROM event_partitions() AS p WHERE p.since >= within_since AND p.until <= within_until;
    IF coalesce(cardinality(parts), 0) < 2 OR bytes > max_bytes THEN
        RETURN 0;
    END IF;
    merged := new_event_partition(lo, hi);
    FOREACH part IN ARRAY parts LOOP
        EXECUTE format('INSERT INTO %I SELECT * FROM %I', merged, part);
        EXECUTE format('DROP TABLE %I', part);
    END LOOP;
    PERFORM attach_event_partition(merged, lo, hi);
    RETURN cardinality(parts);
END
$$;
