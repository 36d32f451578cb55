-- Events of other vendors' SDKs that could not be stored. Their senders were told that they were, because most SDKs drop what
-- is refused: here they can be seen, corrected and stored. hash is of the dialect, the operation and the body, so that an
-- event that is sent again is kept once.
CREATE TABLE quarantine (
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    id          uuid NOT NULL,
    received_at timestamptz NOT NULL,
    dialect     text NOT NULL,
    operation   text NOT NULL,
    sdk         text NOT NULL,
    reason      text NOT NULL,
    detail      text NOT NULL,
    body        text NOT NULL,
    hash        uuid NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX quarantine_hash_key ON quarantine (project_id, hash);
CREATE INDEX quarantine_received_at_idx ON quarantine (received_at);
