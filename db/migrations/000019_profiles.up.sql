-- What was said of people and groups, as it arrived and for ever: a profile is made of all operations on it, in the order
-- (ts, received_at, position, id), so that one that comes late has its effect. kind is 1 for a user_id, 2 for an anonymous_id
-- that came alone, as in persons, and 3 for a group.
CREATE TABLE profile_operations (
    project_id   uuid NOT NULL,
    id           uuid NOT NULL,
    ts           timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    position     int NOT NULL, -- in what was sent
    kind         smallint NOT NULL CHECK (kind IN (1, 2, 3)),
    group_type   text NOT NULL DEFAULT '', -- empty unless kind is 3
    key          text NOT NULL,
    anonymous_id text, -- that came with a user_id
    op           text NOT NULL,
    props        jsonb NOT NULL DEFAULT '{}',
    names        text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (project_id, id)
);
CREATE INDEX profile_operations_of_idx ON profile_operations (project_id, kind, group_type, key);

-- Operations that are in no profile yet, and whose links are not in person_links. A row is made in the transaction that stores
-- the operation and goes in the one that applies it, so every snapshot sees each operation applied or here.
CREATE TABLE profile_pending (
    project_id   uuid NOT NULL,
    operation_id uuid NOT NULL,
    PRIMARY KEY (project_id, operation_id)
);
