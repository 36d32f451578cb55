-- API keys: several per project ---------------------------------------------------------------------------------------

-- What was there before is a main pair: rotate-keys replaces those, and leaves the others alone.
ALTER TABLE api_keys
    ADD COLUMN name         text NOT NULL DEFAULT 'main',
    ADD COLUMN main         boolean NOT NULL DEFAULT true,
    ADD COLUMN scopes       text[] NOT NULL DEFAULT '{events:write,events:read,metrics:read}',
    ADD COLUMN created_by   uuid REFERENCES accounts ON DELETE SET NULL,
    ADD COLUMN last_used_at timestamptz;
CREATE INDEX api_keys_created_by_idx ON api_keys (created_by) WHERE created_by IS NOT NULL;

-- Nodes forget what they know when a key changes in what it may do; its name and its last use are none of that, and the
-- latter changes every minute.
DROP TRIGGER api_keys_changed ON api_keys;
CREATE TRIGGER api_keys_changed
    AFTER UPDATE OF id, project_id, secret_box, secret_key_id, secret_hash, expires_at, scopes OR DELETE OR TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION notify_keys_changed();

-- Sessions, as their owner sees them ----------------------------------------------------------------------------------

ALTER TABLE sessions
    ADD COLUMN last_seen_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN ip           text NOT NULL DEFAULT '',
    ADD COLUMN user_agent   text NOT NULL DEFAULT '';

-- The audit log -------------------------------------------------------------------------------------------------------

-- What concerns an account and no project is entered under the project of zeros, which is nobody's.
CREATE TABLE audit_log (
    project_id uuid NOT NULL,
    id         uuid NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    actor_kind text NOT NULL CHECK (actor_kind IN ('account', 'key', 'system')),
    actor_id   text NOT NULL,
    action     text NOT NULL,
    target     text NOT NULL,
    changes    jsonb NOT NULL,
    ip         text NOT NULL,
    user_agent text NOT NULL,
    request_id text NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX audit_log_at_idx ON audit_log (project_id, at DESC, id DESC);

-- Append-only for everyone, also for whoever writes SQL by hand: an entry goes only with its deleted project.
CREATE FUNCTION refuse_audit_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM projects p WHERE p.id = OLD.project_id AND p.deleted_at IS NOT NULL) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Answers that can be asked for again ---------------------------------------------------------------------------------

-- Written in the transaction of what was done. The answer may show a secret for the only time, so it is encrypted.
CREATE TABLE idempotency_keys (
    account_id    uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    operation     text NOT NULL,
    key           text NOT NULL,
    request_hash  bytea NOT NULL,
    status        int NOT NULL,
    reply_box     bytea NOT NULL,
    secret_key_id text NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (account_id, operation, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
