-- Partitions of several months stay: the version before reads and writes through events, and makes none where there is one.
DROP FUNCTION merge_event_partitions(timestamptz, timestamptz, bigint);
CREATE OR REPLACE FUNCTION drop_empty_event_partition(month timestamptz) RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    partition text := 'events_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
    used boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.event_partitions'));
    IF to_regclass(partition) IS NULL OR pg_relation_size(to_regclass(partition)) > 0 THEN
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
DROP FUNCTION drop_event_partition_if_empty(text);
CREATE OR REPLACE FUNCTION ensure_event_partition(month timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    lo timestamptz := date_trunc('month', month, 'UTC');
    hi timestamptz := date_trunc('month', lo + interval '32 days', 'UTC');
    partition text := 'events_' || to_char(lo AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.event_partitions'));
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- A partition of several months has the time already.
    IF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_[0-9]{6}_[0-9]{6}$'
                 AND to_char(lo AT TIME ZONE 'UTC', 'YYYYMM') >= substr(c.relname, 8, 6) AND to_char(lo AT TIME ZONE 'UTC', 'YYYYMM') < substr(c.relname, 15, 6)) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', partition);
    EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, event_id_floor(lo), event_id_floor(hi));
    RETURN true;
END
$$;
DROP FUNCTION ensure_event_partition(timestamptz, timestamptz, timestamptz);
DROP FUNCTION attach_event_partition(text, timestamptz, timestamptz);
DROP FUNCTION new_event_partition(timestamptz, timestamptz);
DROP FUNCTION event_partitions();
