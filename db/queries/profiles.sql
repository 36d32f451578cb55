-- Stores the operations that are not there yet and returns their ids (the others are duplicates). The arrays are parallel; the
-- ids are unique in one call. names are JSON arrays of texts.
-- name: ProfileOperationsInsert :many
INSERT INTO profile_operations (project_id, id, ts, received_at, position, kind, group_type, key, anonymous_id, op, props, names)
SELECT t.project_id, t.id, t.ts, t.received_at, t.position, t.kind, t.group_type, t.key, nullif(t.anonymous_id, ''), t.op, t.props,
       ARRAY(SELECT jsonb_array_elements_text(t.names))
FROM (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@operation_ids::uuid[]) AS id,
             unnest(@ts::timestamptz[]) AS ts, unnest(@received_at::timestamptz[]) AS received_at,
             unnest(@positions::int[]) AS position, unnest(@kinds::smallint[]) AS kind,
             unnest(@group_types::text[]) AS group_type, unnest(@keys::text[]) AS key,
             unnest(@anonymous_ids::text[]) AS anonymous_id, unnest(@ops::text[]) AS op,
             unnest(@props::jsonb[]) AS props, unnest(@names::jsonb[]) AS names) AS t
ON CONFLICT DO NOTHING
RETURNING id;

-- Says of operations that were stored that they are to be applied.
-- name: ProfilePendingAdd :exec
INSERT INTO profile_pending (project_id, operation_id)
SELECT t.project_id, t.id FROM (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@operation_ids::uuid[]) AS id) AS t;

-- The first project after another that has operations to be applied.
-- name: ProfilePendingProjectAfter :one
SELECT p.project_id FROM profile_pending p WHERE p.project_id > @project_id ORDER BY p.project_id LIMIT 1;

-- Operations that are in no profile yet.
-- name: ProfilePending :many
SELECT o.id, o.ts, o.received_at, o.position, o.kind, o.group_type, o.key, coalesce(o.anonymous_id, '')::text AS anonymous_id, o.op,
       o.props, o.names
FROM profile_pending p JOIN profile_operations o ON o.project_id = p.project_id AND o.id = p.operation_id
WHERE p.project_id = @project_id ORDER BY p.operation_id LIMIT @max_rows;

-- name: ProfilePendingDelete :exec
DELETE FROM profile_pending p WHERE p.project_id = @project_id AND p.operation_id = ANY(@operation_ids::uuid[]);

-- name: ProfilePendingEverywhere :one
SELECT count(*)::bigint AS operations FROM profile_pending;

-- All operations on some profiles, in the order in which they apply.
-- name: ProfileOperationsOf :many
SELECT o.id, o.ts, o.received_at, o.position, o.kind, o.group_type, o.key, coalesce(o.anonymous_id, '')::text AS anonymous_id, o.op,
       o.props, o.names
FROM (SELECT unnest(@kinds::smallint[]) AS kind, unnest(@group_types::text[]) AS group_type, unnest(@keys::text[]) AS key) AS t
JOIN profile_operations o ON o.project_id = @project_id AND o.kind = t.kind AND o.group_type = t.group_type AND o.key = t.key
ORDER BY o.ts, o.received_at, o.position, o.id;

-- name: ProfilesOf :many
SELECT p.kind, p.group_type, p.key, p.no, p.existing, p.props, p.operations, p.known_at, p.last_ts, p.last_received, p.last_position, p.last_id
FROM (SELECT unnest(@kinds::smallint[]) AS kind, unnest(@group_types::text[]) AS group_type, unnest(@keys::text[]) AS key) AS t
JOIN profiles p ON p.project_id = @project_id AND p.kind = t.kind AND p.group_type = t.group_type AND p.key = t.key;

-- Of some profiles, all when there are no numbers, those that are not what they were at a moment.
-- name: ProfilesSince :many
SELECT p.no::int AS no FROM profiles p
WHERE p.project_id = @project_id AND p.no IS NOT NULL AND (p.known_at >= @as_of OR p.no = ANY(@nos::int[]));

-- Some members of the next profiles of people, as JSON and empty where there is none.
-- name: ProfileMembers :many
SELECT p.no::int AS no, p.existing,
       ARRAY(SELECT coalesce((p.props -> u.name)::text, '') FROM unnest(@names::text[]) WITH ORDINALITY AS u (name, n) ORDER BY u.n)::text[] AS members
FROM profiles p WHERE p.project_id = @project_id AND p.no > @after::int ORDER BY p.no LIMIT @max_rows;

-- name: ProfilesPut :exec
INSERT INTO profiles (project_id, kind, group_type, key, no, existing, props, search, operations, known_at,
                      last_ts, last_received, last_position, last_id)
SELECT @project_id, t.kind, t.group_type, t.key, nullif(t.no, 0), t.existing, t.props, fold_text(t.search), t.operations, t.known_at,
       t.last_ts, t.last_received, t.last_position, t.last_id
FROM (SELECT unnest(@kinds::smallint[]) AS kind, unnest(@group_types::text[]) AS group_type, unnest(@keys::text[]) AS key,
             unnest(@nos::int[]) AS no, unnest(@existing::boolean[]) AS existing, unnest(@props::jsonb[]) AS props,
             unnest(@searches::text[]) AS search, unnest(@operations::bigint[]) AS operations,
             unnest(@known_at::timestamptz[]) AS known_at, unnest(@last_ts::timestamptz[]) AS last_ts,
             unnest(@last_received::timestamptz[]) AS last_received, unnest(@last_positions::int[]) AS last_position,
             unnest(@last_ids::uuid[]) AS last_id) AS t
ON CONFLICT (project_id, kind, group_type, key) DO UPDATE
SET no = excluded.no, existing = excluded.existing, props = excluded.props, search = excluded.search, operations = excluded.operations,
    known_at = excluded.known_at, last_ts = excluded.last_ts, last_received = excluded.last_received,
    last_position = excluded.last_position, last_id = excluded.last_id;

-- name: ProfileOperationsDeleteAll :exec
DELETE FROM profile_operations o WHERE o.project_id = @project_id;

-- name: ProfilePendingDeleteAll :exec
DELETE FROM profile_pending p WHERE p.project_id = @project_id;

-- name: ProfilesDeleteAll :exec
DELETE FROM profiles p WHERE p.project_id = @project_id;

-- Erases what was said of a person or a group.
-- name: ProfileOperationsForget :many
DELETE FROM profile_operations o
WHERE o.project_id = @project_id AND o.kind = @kind AND o.group_type = @group_type AND o.key = @key RETURNING o.id;

-- Erases some operations.
-- name: ProfileOperationsErase :exec
DELETE FROM profile_operations o WHERE o.project_id = @project_id AND o.id = ANY(@operation_ids::uuid[]);

-- name: ProfileForget :exec
DELETE FROM profiles p WHERE p.project_id = @project_id AND p.kind = @kind AND p.group_type = @group_type AND p.key = @key;

-- The numbers of people whose id contains a text, without case and accents.
-- name: PersonsSearch :many
SELECT p.no FROM persons p WHERE p.project_id = @project_id AND position(fold_text(@search::text) IN fold_text(p.key)) > 0;

-- The numbers of people in whose profile the name or address contains a text, likewise.
-- name: ProfilesSearch :many
SELECT p.no::int AS no FROM profiles p
WHERE p.project_id = @project_id AND p.no IS NOT NULL AND position(fold_text(@search::text) IN p.search) > 0;

-- Which of some texts contain a folded text.
-- name: TextsSearch :many
SELECT t.n::int AS n FROM unnest(@texts::text[]) WITH ORDINALITY AS t (text, n) WHERE position(fold_text(@search::text) IN fold_text(t.text)) > 0;

-- The next groups of a type that have a profile, by key; those with pending operations are looked at again.
-- name: GroupsPage :many
SELECT g.key::text AS key FROM (
    SELECT p.key FROM profiles p
    WHERE p.project_id = @project_id AND p.kind = 3 AND p.group_type = @group_type AND p.key > @after::text
      AND p.existing AND (@search::text = '' OR position(fold_text(@search::text) IN fold_text(p.key)) > 0
                          OR position(fold_text(@search::text) IN p.search) > 0)
    UNION
    SELECT o.key FROM profile_pending q JOIN profile_operations o ON o.project_id = q.project_id AND o.id = q.operation_id
    WHERE q.project_id = @project_id AND o.kind = 3 AND o.group_type = @group_type AND o.key > @after::text
) AS g ORDER BY g.key LIMIT @max_rows;

-- The groups of a type whose profile is not the stored one: operations are pending, or it was another at a moment.
-- name: GroupsSince :many
SELECT p.key FROM profiles p WHERE p.project_id = @project_id AND p.kind = 3 AND p.group_type = @group_type AND p.known_at >= @as_of
UNION
SELECT o.key FROM profile_pending q JOIN profile_operations o ON o.project_id = q.project_id AND o.id = q.operation_id
WHERE q.project_id = @project_id AND o.kind = 3 AND o.group_type = @group_type;

-- Some members of the next profiles of groups of a type, as ProfileMembers has them of people.
-- name: GroupMembers :many
SELECT p.key, p.existing,
       ARRAY(SELECT coalesce((p.props -> u.name)::text, '') FROM unnest(@names::text[]) WITH ORDINALITY AS u (name, n) ORDER BY u.n)::text[] AS members
FROM profiles p
WHERE p.project_id = @project_id AND p.kind = 3 AND p.group_type = @group_type AND p.key > @after::text ORDER BY p.key LIMIT @max_rows;

-- Of some groups, those of which operations are pending.
-- name: ProfilePendingGroups :many
SELECT DISTINCT o.key FROM profile_pending p JOIN profile_operations o ON o.project_id = p.project_id AND o.id = p.operation_id
WHERE p.project_id = @project_id AND o.kind = 3 AND o.group_type = @group_type AND o.key = ANY(@keys::text[]);

-- name: MergePut :one
INSERT INTO person_merges (project_id, id, merged, into_no) VALUES (@project_id, @id, @merged, @into_no)
ON CONFLICT (project_id, id) DO UPDATE SET merged = person_merges.merged RETURNING created_at;

-- name: MergeDelete :execrows
DELETE FROM person_merges m WHERE m.project_id = @project_id AND m.id = @id;

-- name: MergesList :many
SELECT m.id, f.key AS merged, i.key AS into_key, m.created_at
FROM person_merges m
JOIN persons f ON f.project_id = m.project_id AND f.no = m.merged
JOIN persons i ON i.project_id = m.project_id AND i.no = m.into_no
WHERE m.project_id = @project_id ORDER BY m.created_at, m.id;

-- Events of a person around some moments: of each range of ids those that carry one of his ids.
-- name: EventsOfMoments :many
SELECT t.n::int AS n, s.ts, s.user_id, s.anonymous_id, s.props::jsonb AS props
FROM (SELECT unnest(@ns::int[]) AS n, unnest(@ids_from::uuid[]) AS id_from, unnest(@ids_to::uuid[]) AS id_to) AS t
CROSS JOIN LATERAL (
    SELECT e.ts, e.user_id, e.anonymous_id, e.props FROM events e
    WHERE e.project_id = @project_id AND e.id >= t.id_from AND e.id < t.id_to
      AND (e.user_id = ANY(@user_ids::text[]) OR e.anonymous_id = ANY(@anonymous_ids::text[]))
    ORDER BY e.ts, e.received_at, e.id OFFSET 0
) AS s ORDER BY t.n;

-- Of the next people about whom something was said, by kind and key: when for the first time, and whether a profile was deleted.
-- Who has no number that stays has none here.
-- name: ProfileTimes :many
SELECT o.kind, o.key, coalesce(p.no, 0)::int AS no, min(o.ts)::timestamptz AS since, bool_or(o.op = 'delete')::boolean AS deleted
FROM profile_operations o
LEFT JOIN persons p ON p.project_id = o.project_id AND p.kind = o.kind AND p.key = o.key
WHERE o.project_id = @project_id AND (o.kind, o.group_type, o.key) > (@after_kind::smallint, '', @after_key::text) AND o.kind < 3
  AND o.ts < @as_of AND o.received_at < @as_of
GROUP BY o.kind, o.group_type, o.key, p.no ORDER BY o.kind, o.group_type, o.key LIMIT @max_rows;
