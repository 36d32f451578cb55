-- What two people change at once: each change counts the version on, and says who made it.
ALTER TABLE reports
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_by uuid REFERENCES accounts ON DELETE SET NULL;
CREATE INDEX reports_updated_by_idx ON reports (updated_by) WHERE updated_by IS NOT NULL;

ALTER TABLE boards
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_by uuid REFERENCES accounts ON DELETE SET NULL;
CREATE INDEX boards_updated_by_idx ON boards (updated_by) WHERE updated_by IS NOT NULL;
