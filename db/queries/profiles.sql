-- Stores the operations that are not there yet, to be applied, and returns their ids (the others are duplicates). The arrays
-- are parallel; the ids are unique in one call. names are JSON arrays of texts.
-- name: ProfileOperationsInsert :many
WITH stored AS (
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
    RETURNING project_id, id
), pending AS (
    INSERT INTO profile_pending (project_id, operation_id) SELECT s.project_id, s.id FROM stored s
)
SELECT s.id FROM stored s;
