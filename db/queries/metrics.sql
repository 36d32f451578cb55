-- The rows of some names in some runs of buckets, summed over the names. A run is a granularity and a half-open
-- range. OFFSET 0 keeps the planner from pulling the inner query up: a hash join on the name would read all rows of
-- the project for each run and take minutes instead of milliseconds.
-- name: CountsSeries :many
SELECT c.bucket, sum(c.count)::bigint AS count
FROM (SELECT unnest(@granularities::int[]) AS granularity, unnest(@froms::timestamptz[]) AS from_ts,
             unnest(@tos::timestamptz[]) AS to_ts) AS r
CROSS JOIN unnest(@names::text[]) AS n(name)
CROSS JOIN LATERAL (
    SELECT c.bucket, c.count FROM event_counts c
    WHERE c.project_id = @project_id AND c.granularity = r.granularity AND c.name = n.name
      AND c.bucket >= r.from_ts AND c.bucket < r.to_ts
    OFFSET 0
) AS c
GROUP BY c.bucket;

-- The same for each name by itself, without sums: grouping thousands of single rows took longer than reading them.
-- name: CountsSeriesByName :many
SELECT n.name::text AS name, c.bucket, c.count
FROM (SELECT unnest(@granularities::int[]) AS granularity, unnest(@froms::timestamptz[]) AS from_ts,
             unnest(@tos::timestamptz[]) AS to_ts) AS r
CROSS JOIN unnest(@names::text[]) AS n(name)
CROSS JOIN LATERAL (
    SELECT c.bucket, c.count FROM event_counts c
    WHERE c.project_id = @project_id AND c.granularity = r.granularity AND c.name = n.name
      AND c.bucket >= r.from_ts AND c.bucket < r.to_ts
    OFFSET 0
) AS c;

-- Every name that a project has sent, by a loose index scan: one step for each name, however many buckets it has.
-- name: CountsNames :many
WITH RECURSIVE names AS (
    (SELECT c.name FROM event_counts c
     WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name > '' ORDER BY c.name LIMIT 1)
    UNION ALL
    SELECT (SELECT c.name FROM event_counts c
            WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name > n.name ORDER BY c.name LIMIT 1)
    FROM names n WHERE n.name IS NOT NULL
)
SELECT n.name::text AS name FROM names n WHERE n.name IS NOT NULL;

-- What each name has in each run, as one sum: for buckets that are cut out of hours, of whose minutes only the sum matters.
-- name: CountsPieces :many
SELECT r.granularity::int AS granularity, r.from_ts::timestamptz AS from_ts, r.to_ts::timestamptz AS to_ts, n.name::text AS name, s.count::bigint AS count
FROM (SELECT unnest(@granularities::int[]) AS granularity, unnest(@froms::timestamptz[]) AS from_ts,
             unnest(@tos::timestamptz[]) AS to_ts) AS r
CROSS JOIN unnest(@names::text[]) AS n(name)
CROSS JOIN LATERAL (
    SELECT sum(c.count) AS count FROM event_counts c
    WHERE c.project_id = @project_id AND c.granularity = r.granularity AND c.name = n.name
      AND c.bucket >= r.from_ts AND c.bucket < r.to_ts
) AS s
WHERE s.count > 0;
