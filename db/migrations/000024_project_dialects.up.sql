-- The vendors whose SDKs a project takes nothing from. Those that are on are not listed: a vendor that a later release speaks
-- is on, as it is for the server.
ALTER TABLE projects ADD COLUMN dialects_off text[] NOT NULL DEFAULT '{}';
-- Nodes remember it with the keys.
CREATE TRIGGER projects_dialects AFTER UPDATE OF dialects_off ON projects
    FOR EACH STATEMENT EXECUTE FUNCTION notify_keys_changed();
