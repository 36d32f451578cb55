-- Some names on a day, or on all days together.
-- name: CatalogueOf :many
SELECT c.name, c.prop, c.events, c.first_seen, c.last_seen, c.nulls, c.booleans, c.numbers, c.strings, c.structures, c.large,
       c.min_number, c.max_number, c.unlisted, c.listed
FROM catalogue c WHERE c.project_id = @project_id AND c.day = @day AND c.name = ANY(@names::text[]);

-- name: CatalogueSet :exec
INSERT INTO catalogue (project_id, day, name, prop, folded, events, first_seen, last_seen, nulls, booleans, numbers, strings,
                       structures, large, min_number, max_number, unlisted, listed)
SELECT @project_id, @day, t.name, t.prop, t.folded, t.events, t.first_seen, t.last_seen, t.nulls, t.booleans, t.numbers, t.strings,
       t.structures, t.large, t.min_number, t.max_number, t.unlisted, t.listed::jsonb
FROM (SELECT unnest(@names::text[]) AS name, unnest(@props::text[]) AS prop, unnest(@folded::text[]) AS folded,
             unnest(@events::bigint[]) AS events, unnest(@first_seen::timestamptz[]) AS first_seen,
             unnest(@last_seen::timestamptz[]) AS last_seen, unnest(@nulls::bigint[]) AS nulls,
             unnest(@booleans::bigint[]) AS booleans, unnest(@numbers::bigint[]) AS numbers,
             unnest(@strings::bigint[]) AS strings, unnest(@structures::bigint[]) AS structures,
             unnest(@large::bigint[]) AS large, unnest(@min_number::float8[]) AS min_number,
             unnest(@max_number::float8[]) AS max_number, unnest(@unlisted::bigint[]) AS unlisted,
             unnest(@listed::text[]) AS listed) AS t
ON CONFLICT (project_id, day, name, prop) DO UPDATE SET
    events = excluded.events, first_seen = excluded.first_seen, last_seen = excluded.last_seen, nulls = excluded.nulls,
    booleans = excluded.booleans, numbers = excluded.numbers, strings = excluded.strings, structures = excluded.structures,
    large = excluded.large, min_number = excluded.min_number, max_number = excluded.max_number, unlisted = excluded.unlisted,
    listed = excluded.listed;

-- How many names the catalogue has.
-- name: CatalogueNames :one
SELECT count(*) FROM catalogue c WHERE c.project_id = @project_id AND c.day = 2147483647 AND c.prop = '';

-- Takes days out, and returns the names that they had.
-- name: CatalogueDelete :many
WITH gone AS (
    DELETE FROM catalogue c WHERE c.project_id = @project_id AND c.day >= @day_from AND c.day < @day_to RETURNING c.name
)
SELECT DISTINCT g.name FROM gone g;

-- name: CatalogueForget :exec
DELETE FROM catalogue c WHERE c.project_id = @project_id AND c.day = 2147483647 AND c.name = ANY(@names::text[]);

-- Counts names on all days together.
-- name: CatalogueRecount :exec
INSERT INTO catalogue (project_id, day, name, prop, folded, events, first_seen, last_seen, nulls, booleans, numbers, strings,
                       structures, large, min_number, max_number, unlisted, listed)
SELECT c.project_id, 2147483647, c.name, c.prop, min(c.folded), sum(c.events), min(c.first_seen), max(c.last_seen), sum(c.nulls),
       sum(c.booleans), sum(c.numbers), sum(c.strings), sum(c.structures), sum(c.large), min(c.min_number), max(c.max_number),
       sum(c.unlisted), '[]'
FROM catalogue c
WHERE c.project_id = @project_id AND c.day < 2147483647 AND c.name = ANY(@names::text[])
GROUP BY c.project_id, c.name, c.prop;

-- name: CatalogueDeleteAll :exec
DELETE FROM catalogue c WHERE c.project_id = @project_id;

-- The days of which the catalogue has not as many events as their parts.
-- name: CatalogueUnequal :many
SELECT t.day::int AS day FROM (
    SELECT p.day, p.rows::bigint AS events FROM event_parts p WHERE p.project_id = @project_id
    UNION ALL
    SELECT c.day, -c.events FROM catalogue c
    WHERE c.project_id = @project_id AND c.day < 2147483647 AND c.name = '' AND c.prop = ''
) AS t
GROUP BY t.day HAVING sum(t.events) <> 0 ORDER BY t.day;

-- The most frequent names whose folded form contains a text, and some in any case.
-- name: CatalogueEvents :many
(SELECT c.name, c.events, c.first_seen, c.last_seen FROM catalogue c
 WHERE c.project_id = @project_id AND c.day = 2147483647 AND c.prop = '' AND c.name <> '' AND strpos(c.folded, @search) > 0
 ORDER BY c.events DESC, c.name LIMIT @max_rows)
UNION
SELECT c.name, c.events, c.first_seen, c.last_seen FROM catalogue c
WHERE c.project_id = @project_id AND c.day = 2147483647 AND c.prop = '' AND c.name = ANY(@names::text[]);

-- How many events of some names each day has, from one day on.
-- name: CatalogueVolumes :many
SELECT c.name, c.day, c.events FROM catalogue c
WHERE c.project_id = @project_id AND c.name = ANY(@names::text[]) AND c.prop = '' AND c.day >= @since_day AND c.day < 2147483647;

-- One prop of a name, the latest days first.
-- name: CatalogueProp :many
SELECT c.name, c.prop, c.events, c.first_seen, c.last_seen, c.nulls, c.booleans, c.numbers, c.strings, c.structures, c.large, c.min_number,
       c.max_number, c.unlisted, c.listed
FROM catalogue c
WHERE c.project_id = @project_id AND c.name = @name AND c.prop = @prop AND c.day < 2147483647 ORDER BY c.day DESC LIMIT @max_rows;

-- What arrived last and a consumer has not seen, the latest first. built is as in ArrivalsAfter.
-- name: ArrivalsLatest :many
SELECT a.ids AS event_ids,
       ARRAY(SELECT d.day FROM event_part_days d
             WHERE d.project_id = a.project_id AND d.snapshot IS NOT NULL
               AND d.day >= floor(extract(epoch FROM a.min_ts) / 86400)::int
               AND d.day <= floor(extract(epoch FROM a.max_ts) / 86400)::int
               AND pg_visible_in_snapshot(a.xid, d.snapshot))::int[] AS built
FROM arrivals a
WHERE a.project_id = @project_id AND (a.xid, a.seq) > ((@xid::text)::xid8, @seq::bigint)
ORDER BY a.xid DESC, a.seq DESC LIMIT @max_rows;
