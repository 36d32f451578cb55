DROP FUNCTION drop_empty_event_partition;
DROP FUNCTION delete_events;
ALTER TABLE projects DROP COLUMN events_deleted;
ALTER TABLE projects DROP COLUMN purge_started_at;
ALTER TABLE projects DROP COLUMN data_retention_days;
