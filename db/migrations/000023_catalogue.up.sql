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
