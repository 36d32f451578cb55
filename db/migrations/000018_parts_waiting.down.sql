DROP INDEX event_part_days_dirty_idx;
