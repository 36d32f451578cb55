ALTER TABLE projects DROP COLUMN time_zone, DROP COLUMN week_start;
