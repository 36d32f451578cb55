ALTER TABLE boards DROP COLUMN version, DROP COLUMN updated_by;
ALTER TABLE reports DROP COLUMN version, DROP COLUMN updated_by;
