-- The highest number that was ever given to somebody who is forgotten. The next one follows it too: a number that was somebody's is
-- never somebody else's, who would have what is still kept under it.
CREATE TABLE person_numbers (
    project_id uuid PRIMARY KEY,
    last       int NOT NULL
);

-- People who are being erased: by which ids events and operations name them. The row goes with the last of what is erased, and the
-- ids with it.
CREATE TABLE erasures (
    project_id   uuid NOT NULL,
    id           uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    pieces       jsonb NOT NULL,
    events       bigint NOT NULL DEFAULT 0, -- deleted so far
    PRIMARY KEY (project_id, id)
);
