DROP FUNCTION arrivals_behind(text);
DELETE FROM arrival_cursors WHERE consumer = 'export';
ALTER TABLE arrival_cursors DROP COLUMN generation;
DROP TABLE catalogue;
