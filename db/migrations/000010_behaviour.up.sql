-- Arrivals ------------------------------------------------------------------------------------------------------------

-- The order of what was stored, for those who follow it: one row for each project of a transaction that stored events. A
-- transaction that began later may commit earlier, so a sequence or a clock is no order to follow; but no row with a
-- transaction id below the oldest one that is still under way can appear any more.
CREATE TABLE arrivals (
    project_id uuid NOT NULL,
    xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq        bigint NOT NULL DEFAULT 0, -- tells the rows of one transaction apart
    min_ts     timestamptz NOT NULL,
    max_ts     timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    ids        uuid[] NOT NULL,
    PRIMARY KEY (project_id, xid, seq)
);
-- The ids hardly compress, and trying takes time in the transaction that everybody waits for.
ALTER TABLE arrivals ALTER ids SET STORAGE EXTERNAL;

-- How far each consumer of a project's arrivals is: it has done its work for every row up to this one.
CREATE TABLE arrival_cursors (
    project_id uuid NOT NULL,
    consumer   text NOT NULL,
    xid        xid8 NOT NULL,
    seq        bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, consumer)
);

-- People --------------------------------------------------------------------------------------------------------------

-- The number of everybody who has an event, from 1 on in each project. kind is 1 for a user_id, 2 for an anonymous_id.
CREATE TABLE persons (
    project_id uuid NOT NULL,
    kind       smallint NOT NULL CHECK (kind IN (1, 2)),
    key        text NOT NULL,
    no         int NOT NULL CHECK (no > 0),
    PRIMARY KEY (project_id, kind, key),
    UNIQUE (project_id, no)
);

-- The first event, in the order (ts, received_at, id), that carries an anonymous_id together with a user_id.
CREATE TABLE person_links (
    project_id  uuid NOT NULL,
    anonymous   int NOT NULL,
    person      int NOT NULL,
    ts          timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    event_id    uuid NOT NULL,
    PRIMARY KEY (project_id, anonymous, person)
);

-- Users who are one by somebody's decision. To undo one is to delete its row.
CREATE TABLE person_merges (
    project_id uuid NOT NULL,
    id         uuid NOT NULL,
    merged     int NOT NULL,
    into_no    int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);

-- Parts ---------------------------------------------------------------------------------------------------------------

-- Events of a UTC day once more, as columns ordered by person (internal/behaviour/parts). They are derived: whatever is lost
-- of them is built anew from events.
CREATE TABLE event_parts (
    project_id uuid NOT NULL,
    day        int NOT NULL, -- of UTC, since 1970
    id         uuid NOT NULL,
    rows       int NOT NULL,
    bytes      bigint NOT NULL,
    built_at   timestamptz NOT NULL DEFAULT now(),
    header     bytea NOT NULL,
    PRIMARY KEY (project_id, day, id)
);
CREATE TABLE event_part_columns (
    project_id uuid NOT NULL,
    day        int NOT NULL, -- of UTC, since 1970
    part_id    uuid NOT NULL,
    col        int NOT NULL,
    data       bytea NOT NULL,
    PRIMARY KEY (project_id, day, part_id, col)
);
-- So that a piece of a column is read without the rest of it.
ALTER TABLE event_part_columns ALTER data SET STORAGE EXTERNAL;
ALTER TABLE event_parts ALTER header SET STORAGE EXTERNAL;

-- Days whose parts were built from events, as seen by this snapshot: arrivals that it sees are in them already. A day that is
-- dirty is to be built so.
CREATE TABLE event_part_days (
    project_id uuid NOT NULL,
    day        int NOT NULL, -- of UTC, since 1970
    dirty      boolean NOT NULL,
    snapshot   pg_snapshot,
    PRIMARY KEY (project_id, day)
);
