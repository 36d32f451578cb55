DROP TRIGGER projects_dialects ON projects;
ALTER TABLE projects DROP COLUMN dialects_off;
