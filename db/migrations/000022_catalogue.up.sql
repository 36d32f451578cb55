-- What the events of a project have: their names, their props, and the values of these, counted as parts are built. It is
-- derived, as parts are.
CREATE TABLE catalogue (
    project_id uuid NOT NULL,
    day        int NOT NULL,  -- of UTC, since 1970; 2147483647 is all days together
    name       text NOT NULL, -- of the events; '' is events of any name
    prop       text NOT NULL, -- '' is the events themselves
    folded     text NOT NULL, -- what is searched: the prop, or else the name, without case and accents
    events     bigint NOT NULL, -- that have it, null included
    first_seen   timestamptz NOT NULL,
    last_seen    timestamptz NOT NULL,
    nulls      bigint NOT NULL,
    booleans   bigint NOT NULL,
    numbers    bigint NOT NULL,
    strings    bigint NOT NULL,
    structures bigint NOT NULL,
    large      bigint NOT NULL,
    min_number float8 NOT NULL, -- of the numbers; infinity without any
    max_number float8 NOT NULL,
    unlisted   bigint NOT NULL, -- events whose value is not listed
    listed     jsonb NOT NULL,  -- the most frequent values: [kind, text, events]; of all days together none
    PRIMARY KEY (project_id, day, name, prop)
);
CREATE INDEX catalogue_prop_idx ON catalogue (project_id, name, prop, day);
-- The names of a project, among ten times as many props.
CREATE INDEX catalogue_name_idx ON catalogue (project_id, name) WHERE day = 2147483647 AND prop = '';

-- Tells the row of an incremental export from one that was removed and made again: what the first one kept is gone.
ALTER TABLE arrival_cursors ADD COLUMN generation uuid;

-- What a consumer has not seen of all projects, and since when the first of it waits. It goes from project to project: beside
-- an incremental export the arrivals of a week are kept, and reading them all would take seconds.
CREATE FUNCTION arrivals_behind(reader text) RETURNS TABLE (waiting bigint, oldest timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    project uuid := '00000000-0000-0000-0000-000000000000';
    after_xid xid8;
    after_seq bigint;
BEGIN
    LOOP
        SELECT a.project_id INTO project FROM arrivals a WHERE a.project_id > project ORDER BY a.project_id LIMIT 1;
        EXIT WHEN NOT FOUND;
        SELECT c.xid, c.seq INTO after_xid, after_seq FROM arrival_cursors c WHERE c.project_id = project AND c.consumer = reader;
        RETURN QUERY SELECT coalesce(sum((pg_column_size(a.ids) - 20) / 16), 0)::bigint, min(a.created_at) FROM arrivals a
            WHERE a.project_id = project AND (a.xid, a.seq) > (coalesce(after_xid, '0'), coalesce(after_seq, 0));
    END LOOP;
END
$$;
