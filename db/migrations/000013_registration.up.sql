-- Accounts and projects, as the operators of the instance see them ----------------------------------------------------

ALTER TABLE accounts
    ADD COLUMN operator     boolean NOT NULL DEFAULT false,
    ADD COLUMN disabled_at  timestamptz,
    -- Sessions are pruned a day after their end; this stays.
    ADD COLUMN last_seen_at timestamptz;
UPDATE accounts a SET last_seen_at = (SELECT max(s.last_seen_at) FROM sessions s WHERE s.account_id = a.id);

ALTER TABLE projects ADD COLUMN disabled_at timestamptz;
-- Nodes forget what they know of keys when a project is disabled, as when it is deleted.
CREATE TRIGGER projects_disabled AFTER UPDATE OF disabled_at ON projects
    FOR EACH STATEMENT EXECUTE FUNCTION notify_keys_changed();

-- What all events, their keys and their counts take up on this server, in bytes.
CREATE FUNCTION event_storage_bytes() RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT (pg_total_relation_size('event_counts') + pg_total_relation_size('event_keys')
        + coalesce((SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree('events') AS t), 0))::bigint
$$;

-- Invitations ---------------------------------------------------------------------------------------------------------

-- Only the SHA-256 of the token is kept. A row is an invitation that waits: accepting and withdrawing it remove the row.
CREATE TABLE invitations (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    token_hash bytea NOT NULL CONSTRAINT invitations_token_hash_key UNIQUE,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    email      text CHECK (email = lower(email COLLATE "C")),
    created_by uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX invitations_project_id_idx ON invitations (project_id, id DESC);
CREATE INDEX invitations_created_by_idx ON invitations (created_by);
CREATE INDEX invitations_expires_at_idx ON invitations (expires_at);

-- Links to a new password ---------------------------------------------------------------------------------------------

CREATE TABLE password_resets (
    token_hash bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX password_resets_account_id_idx ON password_resets (account_id);
CREATE INDEX password_resets_expires_at_idx ON password_resets (expires_at);

-- The audit log -------------------------------------------------------------------------------------------------------

-- As before, and entries without a project go when they are old enough (audit.Log.Prune): nothing else would ever remove
-- them. The 30 days are the least that NIMBUS_AUDIT_RETENTION_DAYS may be.
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.project_id = '00000000-0000-0000-0000-000000000000' AND OLD.at < now() - interval '30 days' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM projects p WHERE p.id = OLD.project_id AND p.deleted_at IS NOT NULL) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
