DROP FUNCTION summarise_event_index(text);
CREATE OR REPLACE FUNCTION drop_empty_event_partition(month timestamptz) RETURNS boolean
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
