-- As before, and also where the partition is distributed by Citus: the size of its coordinator's part is always zero, so
-- the rows themselves are asked, once nobody can add one. Where the size says the truth there is nothing to read. It is
-- SELECT 1, because Citus refuses a query for no columns.
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

-- Summarises the blocks of a BRIN index of one month's events that were filled since the last time, and says how many ranges
-- of them there were. Where Citus has the rows, the index here has none, and each worker does its own part.
CREATE FUNCTION summarise_event_index(month_index text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    month text := (SELECT i.indrelid::regclass::text FROM pg_index i WHERE i.indexrelid = to_regclass(month_index));
    spread boolean := false;
    ranges bigint;
    failed text;
BEGIN
    IF month IS NULL THEN
        RETURN 0;
    END IF;
    IF to_regclass('pg_dist_partition') IS NOT NULL THEN
        SELECT EXISTS (SELECT 1 FROM pg_dist_partition p WHERE p.logicalrelid = month::regclass) INTO spread;
    END IF;
    IF NOT spread THEN
        RETURN brin_summarize_new_values(to_regclass(month_index));
    END IF;
    SELECT sum(CASE WHEN s.success THEN s.result::bigint END), min(s.result) FILTER (WHERE NOT s.success) INTO ranges, failed
    FROM run_command_on_shards(month, 'SELECT coalesce(sum(brin_summarize_new_values(i.indexrelid)), 0) FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = ''brin''
        WHERE i.indrelid = ''%s''::regclass AND i.indisvalid') AS s;
    IF failed IS NOT NULL THEN
        RAISE EXCEPTION 'summarise %: %', month_index, failed;
    END IF;
    RETURN ranges;
END
$$;
