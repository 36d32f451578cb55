-- Adds what one transaction stored. The rows are unique and sorted by the primary key: two transactions then lock in
-- the same order and cannot deadlock.
-- name: CountsAdd :exec
INSERT INTO event_counts (project_id, granularity, name, bucket, count)
SELECT t.project_id, t.granularity, t.name, t.bucket, t.count
FROM (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@granularities::int[]) AS granularity,
             unnest(@names::text[]) AS name, unnest(@buckets::timestamptz[]) AS bucket,
             unnest(@counts::bigint[]) AS count) AS t
ON CONFLICT (project_id, granularity, name, bucket) DO UPDATE SET count = event_counts.count + excluded.count;
