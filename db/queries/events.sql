-- Stores the events that are not there yet and returns their ids (the others are duplicates). The arrays are
-- parallel; the ids are unique in one call. An empty user_id or anonymous_id becomes null.
-- name: EventsInsert :many
INSERT INTO events (project_id, id, ts, received_at, seq, name, user_id, anonymous_id, props, counted_as_other)
SELECT t.project_id, t.id, t.ts, t.received_at, t.seq, t.name, nullif(t.user_id, ''), nullif(t.anonymous_id, ''), t.props,
       nullif(t.counted_as_other, false)
FROM (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@event_ids::uuid[]) AS id,
             unnest(@ts::timestamptz[]) AS ts, unnest(@received_at::timestamptz[]) AS received_at,
             unnest(@seq::bigint[]) AS seq, unnest(@names::text[]) AS name,
             unnest(@user_ids::text[]) AS user_id, unnest(@anonymous_ids::text[]) AS anonymous_id,
             unnest(@props::jsonb[]) AS props,
             unnest(@counted_as_other::boolean[]) AS counted_as_other) AS t
ON CONFLICT DO NOTHING
RETURNING id;

-- Stores new events only; a single duplicate makes it fail. It returns no rows that a client would have to wait for,
-- so the counts can follow it in the same pipeline.
-- name: EventsInsertAll :exec
INSERT INTO events (project_id, id, ts, received_at, seq, name, user_id, anonymous_id, props, counted_as_other)
SELECT t.project_id, t.id, t.ts, t.received_at, t.seq, t.name, nullif(t.user_id, ''), nullif(t.anonymous_id, ''), t.props,
       nullif(t.counted_as_other, false)
FROM (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@event_ids::uuid[]) AS id,
             unnest(@ts::timestamptz[]) AS ts, unnest(@received_at::timestamptz[]) AS received_at,
             unnest(@seq::bigint[]) AS seq, unnest(@names::text[]) AS name,
             unnest(@user_ids::text[]) AS user_id, unnest(@anonymous_ids::text[]) AS anonymous_id,
             unnest(@props::jsonb[]) AS props,
             unnest(@counted_as_other::boolean[]) AS counted_as_other) AS t;

-- Stores the keys of events without a ts and returns the new ones.
-- name: EventKeysClaim :many
INSERT INTO event_keys (project_id, key_hash)
SELECT t.project_id, t.key_hash
FROM (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@key_hashes::uuid[]) AS key_hash) AS t
ON CONFLICT DO NOTHING
RETURNING key_hash;

-- Makes the partition for a time, unless there is one, and returns its name.
-- name: EventPartitionEnsure :one
SELECT ensure_event_partition(@at::timestamptz, @months_since::timestamptz, @years_since::timestamptz)::text AS name;

-- The partitions of events in the order of time, and the bytes of their rows; 0 for one that is being dropped.
-- name: EventPartitions :many
SELECT c.relname::text AS name, coalesce(pg_relation_size(c.oid), 0)::bigint AS bytes FROM pg_catalog.pg_class c
WHERE c.relispartition AND c.relkind = 'r' AND c.relname ~ '^events_[0-9]{6}(_[0-9]{6})?$' ORDER BY 1;

-- The id behind the oldest events of a range, as many as @events says; no row when the range has no more than that.
-- name: EventsStep :one
SELECT e.id FROM events e
WHERE e.project_id = @project_id AND e.id >= @id_from AND e.id < @id_to
ORDER BY e.id OFFSET @events::int LIMIT 1;

-- Deletes events and subtracts them from the counts; returns their number.
-- name: EventsDelete :one
SELECT delete_events(@project_id, @id_from, @id_to)::bigint AS deleted;

-- The key behind the first keys of a project, likewise.
-- name: EventKeysStep :one
SELECT k.key_hash FROM event_keys k
WHERE k.project_id = @project_id AND k.key_hash >= @key_from
ORDER BY k.key_hash OFFSET @keys::int LIMIT 1;

-- name: EventKeysDelete :execrows
DELETE FROM event_keys k
WHERE k.project_id = @project_id AND k.key_hash >= @key_from
  AND (sqlc.narg('key_to')::uuid IS NULL OR k.key_hash < sqlc.narg('key_to')::uuid)
  AND k.created_at < @before::timestamptz;

-- name: ProjectsToPrune :many
SELECT p.id FROM projects p WHERE p.data_retention_days > 0 AND p.deleted_at IS NULL ORDER BY p.id;

-- The retention of a project that has one, locked until the step ends: once a change of it is answered, nothing is
-- pruned by the old value any more.
-- name: ProjectRetentionDays :one
SELECT p.data_retention_days FROM projects p
WHERE p.id = @id AND p.data_retention_days > 0 AND p.deleted_at IS NULL FOR SHARE;

-- name: EventPartitionDropEmpty :one
SELECT drop_event_partition_if_empty(@partition::text)::boolean AS dropped;

-- name: EventPartitionsMerge :one
SELECT merge_event_partitions(@within_since::timestamptz, @within_until::timestamptz, @max_bytes::bigint)::int AS merged;

-- The first and the last UTC day on which a project has events, by its counts, which agree with the events at every
-- commit; no row when it has none.
-- name: EventDays :one
SELECT f.bucket AS first, l.bucket AS last
FROM (SELECT c.bucket FROM event_counts c WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name = ''
      ORDER BY c.bucket LIMIT 1) AS f,
     (SELECT c.bucket FROM event_counts c WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name = ''
      ORDER BY c.bucket DESC LIMIT 1) AS l;

-- name: EventsNewestFirst :many
SELECT e.* FROM events e
WHERE e.project_id = @project_id
  AND e.id >= @id_from AND e.id < @id_to AND e.ts >= @since AND e.ts < @until
  AND (sqlc.narg('names')::text[] IS NULL OR e.name = ANY(sqlc.narg('names')::text[]))
  AND (sqlc.narg('user_id')::text IS NULL OR e.user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('props')::jsonb IS NULL OR e.props @> sqlc.narg('props')::jsonb)
ORDER BY e.id DESC
LIMIT @page_size;

-- name: EventsOldestFirst :many
SELECT e.* FROM events e
WHERE e.project_id = @project_id
  AND e.id >= @id_from AND e.id < @id_to AND e.ts >= @since AND e.ts < @until
  AND (sqlc.narg('names')::text[] IS NULL OR e.name = ANY(sqlc.narg('names')::text[]))
  AND (sqlc.narg('user_id')::text IS NULL OR e.user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('props')::jsonb IS NULL OR e.props @> sqlc.narg('props')::jsonb)
ORDER BY e.id
LIMIT @page_size;

-- The same for one person, where there is no B-tree by person yet: by the BRIN summaries, which exclude blocks
-- without him. project_id is compared as text, so that the primary key cannot be used: the planner does not know how
-- few blocks remain, and would read every event of the range by the key.
-- name: PersonEventsNewestFirst :many
SELECT e.* FROM events e
WHERE e.project_id::text = (@project_id::uuid)::text AND e.user_id = @user_id
  AND e.id >= @id_from AND e.id < @id_to AND e.ts >= @since AND e.ts < @until
  AND (sqlc.narg('names')::text[] IS NULL OR e.name = ANY(sqlc.narg('names')::text[]))
  AND (sqlc.narg('props')::jsonb IS NULL OR e.props @> sqlc.narg('props')::jsonb)
ORDER BY e.id DESC
LIMIT @page_size;

-- name: PersonEventsOldestFirst :many
SELECT e.* FROM events e
WHERE e.project_id::text = (@project_id::uuid)::text AND e.user_id = @user_id
  AND e.id >= @id_from AND e.id < @id_to AND e.ts >= @since AND e.ts < @until
  AND (sqlc.narg('names')::text[] IS NULL OR e.name = ANY(sqlc.narg('names')::text[]))
  AND (sqlc.narg('props')::jsonb IS NULL OR e.props @> sqlc.narg('props')::jsonb)
ORDER BY e.id
LIMIT @page_size;

-- The newest event of a project in a range, and the one that is a given number of events before it.
-- name: EventsNewest :many
SELECT n.id FROM (
    (SELECT e.id FROM events e
     WHERE e.project_id = @project_id AND e.id >= @id_from AND e.id < @id_to ORDER BY e.id DESC LIMIT 1)
    UNION ALL
    (SELECT e.id FROM events e
     WHERE e.project_id = @project_id AND e.id >= @id_from AND e.id < @id_to ORDER BY e.id DESC OFFSET @events::int LIMIT 1)
) AS n
ORDER BY n.id DESC;

-- The indexes of partitions by person, valid or not: an invalid one is being built, or was left by an interrupted
-- build.
-- name: PersonIndexes :many
SELECT c.relname::text AS name, i.indisvalid AS valid
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.relname ~ '^events_[0-9]{6}(_[0-9]{6})?_(people|recent)' AND pg_table_is_visible(c.oid)
ORDER BY 1;

-- Summarises the blocks that were filled since the last run, and returns the number of block ranges.
-- name: PersonSummarise :one
SELECT summarise_event_index(@index::text)::int AS ranges;

-- name: EventByID :one
SELECT e.* FROM events e WHERE e.id = @id AND e.project_id = ANY(@project_ids::uuid[]);

-- The ids among these that are stored.
-- name: EventsKnown :many
SELECT e.id FROM events AS e
JOIN (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@event_ids::uuid[]) AS id) AS t
    ON e.project_id = t.project_id AND e.id = t.id;
