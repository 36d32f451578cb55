-- The zone and the week of the questions that name none. Which zones there are is known to the server and not to the database,
-- whose own list may be older.
ALTER TABLE projects
    ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC',
    ADD COLUMN week_start text NOT NULL DEFAULT 'monday' CHECK (week_start IN ('monday', 'sunday'));
