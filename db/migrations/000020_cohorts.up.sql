-- People under a name: those for whom a clause holds, as the contract has it, or those of a list.
CREATE TABLE cohorts (
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    id          uuid NOT NULL,
    name        text NOT NULL,
    description text NOT NULL,
    clause      jsonb, -- null: a list
    listed      bigint NOT NULL DEFAULT 0, -- ids in the list
    version     bigint NOT NULL DEFAULT 1,
    created_by  uuid REFERENCES accounts ON DELETE SET NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  uuid REFERENCES accounts ON DELETE SET NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX cohorts_created_by_idx ON cohorts (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX cohorts_updated_by_idx ON cohorts (updated_by) WHERE updated_by IS NOT NULL;

-- The lists, by the ids that events have: somebody may be in a list before his first event. kind is that of persons.
CREATE TABLE cohort_people (
    project_id uuid NOT NULL,
    cohort_id  uuid NOT NULL,
    kind       smallint NOT NULL CHECK (kind IN (1, 2)),
    key        text NOT NULL,
    PRIMARY KEY (project_id, cohort_id, kind, key)
);
