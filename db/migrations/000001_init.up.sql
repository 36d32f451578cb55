-- Accounts and sessions -------------------------------------------------------------------------------------------

CREATE TABLE accounts (
    id            uuid PRIMARY KEY,
    email         text NOT NULL CONSTRAINT accounts_email_key UNIQUE CHECK (email = lower(email)),
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

-- A session is a family of refresh tokens: one login and everything that was refreshed from it. Access tokens name
-- their session, so revoking it stops them too.
CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_account_id_idx ON sessions (account_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- Only the SHA-256 of a refresh token is kept.
CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);

-- Projects and keys -----------------------------------------------------------------------------------------------

CREATE TABLE projects (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    -- Set when the project is deleted: from then on nothing finds it, and the purge job removes its events in steps.
    deleted_at  timestamptz
);
CREATE INDEX projects_deleted_at_idx ON projects (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE project_members (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, account_id)
);
CREATE INDEX project_members_account_id_idx ON project_members (account_id, project_id);

-- A secret that must verify signatures cannot be hashed: it is encrypted (AES-256-GCM) under the key that
-- secret_key_id names. Its hash finds the key when the secret itself is sent.
CREATE TABLE api_keys (
    id            text PRIMARY KEY,
    project_id    uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    secret_box    bytea NOT NULL,
    secret_key_id text NOT NULL,
    secret_hash   bytea NOT NULL CONSTRAINT api_keys_secret_hash_key UNIQUE,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz
);
CREATE INDEX api_keys_project_id_idx ON api_keys (project_id, created_at DESC);
CREATE INDEX api_keys_secret_key_id_idx ON api_keys (secret_key_id, id);

-- Write keys are public, so they are kept as they are.
CREATE TABLE write_keys (
    id              uuid PRIMARY KEY,
    project_id      uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    key             text NOT NULL CONSTRAINT write_keys_key_key UNIQUE,
    allowed_origins text[] NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX write_keys_project_id_idx ON write_keys (project_id, created_at DESC);

-- Events ----------------------------------------------------------------------------------------------------------

-- id begins with ts in milliseconds and goes on with a hash of what identifies the event, so this one index dedupes,
-- finds time ranges, pages, and names the partition. Every further index costs a third of the throughput of ingestion.
CREATE TABLE events (
    project_id   uuid NOT NULL,
    id           uuid NOT NULL,
    ts           timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    seq          bigint NOT NULL,
    name         text NOT NULL,
    user_id      text,
    anonymous_id text,
    props        jsonb NOT NULL,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);

-- The id of an event that came with an idempotency key and without a ts: the key alone must find it again, because
-- the time it is given differs each time it is sent.
CREATE TABLE event_keys (
    project_id uuid NOT NULL,
    key_hash   uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, key_hash)
);

-- The smallest id an event of this time can have.
CREATE FUNCTION event_id_floor(ts timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM ts) * 1000)::bigint), 12, '0') || '80008000000000000000')::uuid
$$;

-- Makes the partition of a UTC month. Attaching a finished table takes a lock that lets reads and writes go on;
-- CREATE TABLE … PARTITION OF would stop them.
CREATE FUNCTION ensure_event_partition(month timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    lo timestamptz := date_trunc('month', month, 'UTC');
    hi timestamptz := date_trunc('month', lo + interval '32 days', 'UTC');
    partition text := 'events_' || to_char(lo AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nimbus.event_partitions'));
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', partition);
    EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, event_id_floor(lo), event_id_floor(hi));
    RETURN true;
END
$$;

-- Rollups ---------------------------------------------------------------------------------------------------------

-- Exact counts, kept in the transaction that stores the events. granularity is the bucket's width in seconds: 60,
-- 3600 or 86400, always of UTC. The row with the empty name (no event has it) is the total of all names.
CREATE TABLE event_counts (
    project_id  uuid NOT NULL,
    granularity int NOT NULL,
    name        text NOT NULL,
    bucket      timestamptz NOT NULL,
    count       bigint NOT NULL,
    PRIMARY KEY (project_id, granularity, name, bucket)
) WITH (fillfactor = 70);

-- Keys are cached by every node --------------------------------------------------------------------------------------

-- Whoever changes a key, by whatever means, tells every node to forget what it knows. The message is sent with the
-- commit and carries nothing: changes are rare, and forgetting all is simpler than naming one.
CREATE FUNCTION notify_keys_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('nimbus_keys', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER api_keys_changed AFTER UPDATE OR DELETE OR TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION notify_keys_changed();
CREATE TRIGGER write_keys_changed AFTER UPDATE OR DELETE OR TRUNCATE ON write_keys
    FOR EACH STATEMENT EXECUTE FUNCTION notify_keys_changed();
CREATE TRIGGER projects_deleted AFTER UPDATE OF deleted_at OR DELETE OR TRUNCATE ON projects
    FOR EACH STATEMENT EXECUTE FUNCTION notify_keys_changed();
