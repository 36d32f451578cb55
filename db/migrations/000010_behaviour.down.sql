DROP TABLE event_part_days;
DROP TABLE event_part_columns;
DROP TABLE event_parts;
DROP TABLE person_merges;
DROP TABLE person_links;
DROP TABLE persons;
DROP TABLE arrival_cursors;
DROP TABLE arrivals;
