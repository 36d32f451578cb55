-- When a background job last did its work, on whichever node: each node's turn comes at its own time, and the work is
-- wanted once.
CREATE TABLE job_turns (
    job      text PRIMARY KEY,
    ended_at timestamptz NOT NULL
);
