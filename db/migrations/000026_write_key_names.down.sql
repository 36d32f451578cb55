ALTER TABLE write_keys DROP COLUMN name;
