-- The projects with days to be built are found every ten seconds, among those of all projects.
CREATE INDEX event_part_days_dirty_idx ON event_part_days (project_id) WHERE dirty;
