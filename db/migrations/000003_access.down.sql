DROP TABLE idempotency_keys;

DROP TABLE audit_log;
DROP FUNCTION refuse_audit_change();

ALTER TABLE sessions DROP COLUMN last_seen_at, DROP COLUMN ip, DROP COLUMN user_agent;

-- The program before this knows no scopes: a key must not come back with more than it had.
DELETE FROM api_keys WHERE NOT main;
DROP TRIGGER api_keys_changed ON api_keys;
ALTER TABLE api_keys
    DROP COLUMN name, DROP COLUMN main, DROP COLUMN scopes, DROP COLUMN created_by, DROP COLUMN last_used_at;
CREATE TRIGGER api_keys_changed AFTER UPDATE OR DELETE OR TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION notify_keys_changed();
