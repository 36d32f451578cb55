-- Records the ids of stored events, in the transaction that stores them.
-- name: ArrivalAdd :exec
INSERT INTO arrivals (project_id, min_ts, max_ts, ids) VALUES (@project_id, @min_ts, @max_ts, @event_ids::uuid[]);

-- The same for the events of many projects at once.
-- name: ArrivalsAdd :exec
INSERT INTO arrivals (project_id, min_ts, max_ts, ids)
SELECT t.project_id, min(t.ts), max(t.ts), array_agg(t.id)
FROM (SELECT unnest(@project_ids::uuid[]) AS project_id, unnest(@event_ids::uuid[]) AS id, unnest(@ts::timestamptz[]) AS ts) AS t
GROUP BY t.project_id;

-- The transaction id below which no arrival can appear any more.
-- name: ArrivalsHorizon :one
SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon;

-- The first project after another that has arrivals.
-- name: ArrivalsProjectAfter :one
SELECT a.project_id FROM arrivals a WHERE a.project_id > @project_id ORDER BY a.project_id LIMIT 1;

-- The arrivals after a cursor, in order, up to a horizon if there is one. built is the days whose parts contain the
-- row's events already, because they were built from events in a snapshot that saw the row.
-- name: ArrivalsAfter :many
SELECT a.xid::text AS xid, a.seq, a.created_at, a.ids AS event_ids,
       ARRAY(SELECT d.day FROM event_part_days d
             WHERE d.project_id = a.project_id AND d.snapshot IS NOT NULL
               AND d.day >= floor(extract(epoch FROM a.min_ts) / 86400)::int
               AND d.day <= floor(extract(epoch FROM a.max_ts) / 86400)::int
               AND pg_visible_in_snapshot(a.xid, d.snapshot))::int[] AS built
FROM arrivals a
WHERE a.project_id = @project_id AND (a.xid, a.seq) > ((@xid::text)::xid8, @seq::bigint)
  AND (sqlc.narg('horizon')::text IS NULL OR a.xid < (sqlc.narg('horizon')::text)::xid8)
ORDER BY a.xid, a.seq LIMIT @max_rows;

-- What a consumer has to do for a project. The size of the ids says how many they are without reading them: 16 bytes each
-- behind 20 to 24 of an array's own.
-- name: ArrivalsPending :one
SELECT EXISTS (SELECT FROM arrival_cursors c WHERE c.project_id = @project_id AND c.consumer = @consumer)::boolean AS begun,
       EXISTS (SELECT FROM event_part_days d WHERE d.project_id = @project_id AND d.dirty)::boolean AS dirty,
       coalesce(sum((pg_column_size(a.ids) - 20) / 16), 0)::bigint AS events,
       coalesce(min(a.created_at), now())::timestamptz AS oldest
FROM arrivals a
WHERE a.project_id = @project_id
  AND (a.xid, a.seq) > (coalesce((SELECT c.xid FROM arrival_cursors c WHERE c.project_id = @project_id AND c.consumer = @consumer), '0'),
                        coalesce((SELECT c.seq FROM arrival_cursors c WHERE c.project_id = @project_id AND c.consumer = @consumer), 0));

-- The same of all projects together.
-- name: ArrivalsPendingEverywhere :one
SELECT coalesce(sum(b.waiting), 0)::bigint AS events,
       coalesce(extract(epoch FROM now() - min(b.oldest)), 0)::float8 AS age_seconds
FROM arrivals_behind(@consumer) b;

-- Arrivals that a consumer has not seen and that are older than its largest allowed lag.
-- name: ArrivalsMissed :many
SELECT a.min_ts, a.max_ts FROM arrivals a
WHERE a.project_id = @project_id AND a.created_at < @before AND (a.xid, a.seq) > ((@xid::text)::xid8, @seq::bigint);

-- Removes the arrivals that every consumer of the project has passed, and those that are too old to wait for them.
-- name: ArrivalsPrune :execrows
DELETE FROM arrivals a
WHERE a.project_id = @project_id
  AND (a.created_at < @before
       OR (a.xid, a.seq) <= (SELECT c.xid, c.seq FROM arrival_cursors c WHERE c.project_id = @project_id ORDER BY c.xid, c.seq LIMIT 1));

-- name: ArrivalCursor :one
SELECT c.xid::text AS xid, c.seq FROM arrival_cursors c WHERE c.project_id = @project_id AND c.consumer = @consumer;

-- name: ArrivalCursorSet :exec
INSERT INTO arrival_cursors (project_id, consumer, xid, seq) VALUES (@project_id, @consumer, (@xid::text)::xid8, @seq::bigint)
ON CONFLICT (project_id, consumer) DO UPDATE SET xid = excluded.xid, seq = excluded.seq, updated_at = now();

-- One writer at a time works on the parts of a project; readers take no lock. The lock belongs to the session: a
-- transaction would take its snapshot before it got the lock, and so not see the changes of the one before it.
-- name: PartsLock :exec
SELECT pg_advisory_lock(hashtext('nimbus.parts'), hashtext(@project_id::text));

-- name: PartsUnlock :one
SELECT pg_advisory_unlock(hashtext('nimbus.parts'), hashtext(@project_id::text))::boolean AS held;

-- Some events by their ids, which are within a range.
-- name: EventsByIDs :many
SELECT e.id, e.ts, e.received_at, e.name, e.user_id, e.anonymous_id, e.props FROM events e
WHERE e.project_id = @project_id AND e.id = ANY(@event_ids::uuid[]) AND e.id >= @id_from AND e.id <= @id_to;

-- Of some events, by their ids, who those are that carry both a user_id and an anonymous_id.
-- name: EventLinksByIDs :many
SELECT e.id, e.ts, e.received_at, e.user_id, e.anonymous_id FROM events e
WHERE e.project_id = @project_id AND e.id = ANY(@event_ids::uuid[]) AND e.id >= @id_from AND e.id <= @id_to
  AND e.user_id IS NOT NULL AND e.anonymous_id IS NOT NULL;

-- The next events of a range.
-- name: EventsOfRange :many
SELECT e.id, e.ts, e.received_at, e.name, e.user_id, e.anonymous_id, e.props FROM events e
WHERE e.project_id = @project_id AND e.id > @id_after AND e.id < @id_to ORDER BY e.id LIMIT @max_rows;

-- The days that have events or parts.
-- name: PartDays :many
SELECT floor(extract(epoch FROM c.bucket) / 86400)::int AS day FROM event_counts c
WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name = ''
UNION
SELECT p.day FROM event_parts p WHERE p.project_id = @project_id
ORDER BY 1;

-- The first project after another whose arrivals somebody follows.
-- name: ArrivalCursorAfter :one
SELECT c.project_id FROM arrival_cursors c WHERE c.project_id > @project_id ORDER BY c.project_id LIMIT 1;

-- The first project after another that has days to be built.
-- name: PartDaysDirtyAfter :one
SELECT d.project_id FROM event_part_days d WHERE d.project_id > @project_id AND d.dirty ORDER BY d.project_id LIMIT 1;

-- The days whose parts have not as many rows as event_counts says, and that nobody builds: what arrived may be the reason.
-- name: PartDaysUnequal :many
SELECT t.day::int AS day FROM (
    SELECT floor(extract(epoch FROM c.bucket) / 86400)::int AS day, c.count AS events FROM event_counts c
    WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name = ''
    UNION ALL
    SELECT p.day, -p.rows FROM event_parts p WHERE p.project_id = @project_id
) AS t
WHERE NOT EXISTS (SELECT FROM event_part_days d WHERE d.project_id = @project_id AND d.day = t.day AND d.dirty)
GROUP BY t.day HAVING sum(t.events) <> 0 ORDER BY t.day;

-- What the parts of a project are together.
-- name: PartsSize :one
SELECT count(DISTINCT p.day)::int AS days, count(*)::int AS parts, coalesce(sum(p.rows), 0)::bigint AS rows,
       coalesce(sum(p.bytes), 0)::bigint AS bytes
FROM event_parts p WHERE p.project_id = @project_id;

-- What event_counts says of some days.
-- name: PartCounts :many
SELECT floor(extract(epoch FROM c.bucket) / 86400)::int AS day, c.name, c.count FROM event_counts c
WHERE c.project_id = @project_id AND c.granularity = 86400 AND c.name > ''
  AND c.bucket >= @since::timestamptz AND c.bucket < @until::timestamptz;

-- name: PersonsFind :many
SELECT p.kind, p.key, p.no
FROM (SELECT unnest(@kinds::smallint[]) AS kind, unnest(@keys::text[]) AS key) AS t
JOIN persons p ON p.project_id = @project_id AND p.kind = t.kind AND p.key = t.key;

-- The highest number that anybody has or ever had.
-- name: PersonsLast :one
SELECT greatest((SELECT max(p.no) FROM persons p WHERE p.project_id = @project_id),
                (SELECT n.last FROM person_numbers n WHERE n.project_id = @project_id), 0)::int AS no;

-- Keeps that a number was somebody's.
-- name: PersonNumberUsed :exec
INSERT INTO person_numbers (project_id, last) VALUES (@project_id, @no)
ON CONFLICT (project_id) DO UPDATE SET last = greatest(person_numbers.last, excluded.last);

-- name: PersonsAdd :exec
INSERT INTO persons (project_id, kind, key, no)
SELECT @project_id, t.kind, t.key, t.no
FROM (SELECT unnest(@kinds::smallint[]) AS kind, unnest(@keys::text[]) AS key, unnest(@nos::int[]) AS no) AS t;

-- name: PersonKeys :many
SELECT p.no, p.kind, p.key FROM persons p WHERE p.project_id = @project_id AND p.no = ANY(@nos::int[]);

-- Keeps the events of each pair before which, in the order, none was known at the time.
-- name: PersonLinksAdd :exec
INSERT INTO person_links (project_id, anonymous, person, ts, received_at, event_id)
SELECT @project_id, t.anonymous, t.person, t.ts, t.received_at, t.event_id
FROM (SELECT unnest(@anonymous::int[]) AS anonymous, unnest(@people::int[]) AS person, unnest(@ts::timestamptz[]) AS ts,
             unnest(@received_at::timestamptz[]) AS received_at, unnest(@event_ids::uuid[]) AS event_id) AS t
WHERE NOT EXISTS (SELECT FROM person_links l
    WHERE l.project_id = @project_id AND l.anonymous = t.anonymous AND l.person = t.person
      AND (l.ts, l.received_at, l.event_id) < (t.ts, t.received_at, t.event_id)
      AND greatest(l.ts, l.received_at) <= greatest(t.ts, t.received_at))
ON CONFLICT DO NOTHING;

-- name: PersonLinks :many
SELECT l.anonymous, l.person, l.ts, l.received_at, l.event_id FROM person_links l WHERE l.project_id = @project_id
ORDER BY l.anonymous, l.ts, l.received_at, l.event_id;

-- name: PersonMerges :many
SELECT m.merged, m.into_no FROM person_merges m WHERE m.project_id = @project_id ORDER BY m.created_at, m.id;

-- name: PartAdd :exec
INSERT INTO event_parts (project_id, day, id, rows, bytes, header) VALUES (@project_id, @day, @id, @rows, @bytes, @header);

-- name: PartColumnAdd :exec
INSERT INTO event_part_columns (project_id, day, part_id, col, data) VALUES (@project_id, @day, @part_id, @col, @data);

-- name: PartsOf :many
SELECT p.day, p.id, p.rows, p.bytes, p.header FROM event_parts p
WHERE p.project_id = @project_id AND p.day >= @day_from AND p.day < @day_to ORDER BY p.day, p.id;

-- The days with more parts than they need.
-- name: PartsCrowded :many
SELECT p.day, count(*)::int AS parts, min(p.rows)::int AS smallest FROM event_parts p WHERE p.project_id = @project_id
GROUP BY p.day HAVING count(*) > 1 ORDER BY count(*) DESC, p.day DESC;

-- Chunks of columns. OFFSET 0 makes the planner look each up by its key.
-- name: PartSlices :many
SELECT t.n::int AS n, s.data::bytea AS data
FROM (SELECT unnest(@ns::int[]) AS n, unnest(@days::int[]) AS day, unnest(@part_ids::uuid[]) AS part_id,
             unnest(@columns::int[]) AS col, unnest(@offsets::int[]) AS start, unnest(@lengths::int[]) AS length) AS t
CROSS JOIN LATERAL (
    SELECT substring(c.data FROM t.start + 1 FOR t.length) AS data FROM event_part_columns c
    WHERE c.project_id = @project_id AND c.day = t.day AND c.part_id = t.part_id AND c.col = t.col
    OFFSET 0
) AS s;

-- name: PartsDelete :exec
DELETE FROM event_parts p WHERE p.project_id = @project_id AND p.day = @day AND p.id = ANY(@part_ids::uuid[]);

-- name: PartColumnsDelete :exec
DELETE FROM event_part_columns c WHERE c.project_id = @project_id AND c.day = @day AND c.part_id = ANY(@part_ids::uuid[]);

-- name: PartsDeleteBefore :execrows
DELETE FROM event_parts p WHERE p.project_id = @project_id AND p.day < @day;

-- name: PartColumnsDeleteBefore :exec
DELETE FROM event_part_columns c WHERE c.project_id = @project_id AND c.day < @day;

-- name: PartDaysDeleteBefore :exec
DELETE FROM event_part_days d WHERE d.project_id = @project_id AND d.day < @day;

-- name: PartDaysDirty :many
SELECT d.day FROM event_part_days d WHERE d.project_id = @project_id AND d.dirty ORDER BY d.day DESC;

-- name: PartDaysMark :exec
INSERT INTO event_part_days (project_id, day, dirty) SELECT @project_id, unnest(@days::int[]), true
ON CONFLICT (project_id, day) DO UPDATE SET dirty = true;

-- name: PartDayBuilt :exec
INSERT INTO event_part_days (project_id, day, dirty, snapshot) VALUES (@project_id, @day, false, pg_current_snapshot())
ON CONFLICT (project_id, day) DO UPDATE SET dirty = false, snapshot = excluded.snapshot;

-- Removes a batch of rows of a deleted project; the tables are emptied one after the other.
-- name: PersonsDeleteAll :exec
DELETE FROM persons p WHERE p.project_id = @project_id;

-- name: PersonLinksDeleteAll :exec
DELETE FROM person_links l WHERE l.project_id = @project_id;

-- name: PersonMergesDeleteAll :exec
DELETE FROM person_merges m WHERE m.project_id = @project_id;

-- name: PersonNumbersDeleteAll :exec
DELETE FROM person_numbers n WHERE n.project_id = @project_id;

-- name: ErasuresDeleteAll :exec
DELETE FROM erasures e WHERE e.project_id = @project_id;

-- name: ArrivalsDeleteAll :exec
DELETE FROM arrivals a WHERE a.project_id = @project_id;

-- name: ArrivalCursorsDeleteAll :exec
DELETE FROM arrival_cursors c WHERE c.project_id = @project_id;

-- Erases the identity of a person; nobody has the number from then on.
-- name: PersonForget :one
DELETE FROM persons p WHERE p.project_id = @project_id AND p.kind = @kind AND p.key = @key RETURNING p.no;

-- name: PersonLinksForget :exec
DELETE FROM person_links l WHERE l.project_id = @project_id AND (l.anonymous = @no OR l.person = @no);

-- name: PersonMergesForget :exec
DELETE FROM person_merges m WHERE m.project_id = @project_id AND (m.merged = @no OR m.into_no = @no);

-- Lists of people -----------------------------------------------------------------------------------------------------

-- The numbers of the people in a list; who has none has no event in a part.
-- name: CohortNumbers :many
SELECT p.no FROM cohort_people c
JOIN persons p ON p.project_id = c.project_id AND p.kind = c.kind AND p.key = c.key
WHERE c.project_id = @project_id AND c.cohort_id = @cohort_id;

-- Which of these ids are in a list.
-- name: CohortListed :many
SELECT c.kind, c.key FROM cohort_people c
JOIN (SELECT unnest(@kinds::smallint[]) AS kind, unnest(@keys::text[]) AS key) AS t ON t.kind = c.kind AND t.key = c.key
WHERE c.project_id = @project_id AND c.cohort_id = @cohort_id;

-- A page of a list, in its order.
-- name: CohortPeople :many
SELECT c.kind, c.key FROM cohort_people c
WHERE c.project_id = @project_id AND c.cohort_id = @cohort_id AND (c.kind, c.key) > (@after_kind::smallint, @after_key::text)
ORDER BY c.kind, c.key LIMIT @most::int;

-- name: CohortPeopleAdd :execrows
INSERT INTO cohort_people (project_id, cohort_id, kind, key)
SELECT @project_id, @cohort_id, t.kind, t.key
FROM (SELECT DISTINCT unnest(@kinds::smallint[]) AS kind, unnest(@keys::text[]) AS key) AS t
ON CONFLICT DO NOTHING;

-- name: CohortPeopleRemove :execrows
DELETE FROM cohort_people c USING (SELECT unnest(@kinds::smallint[]) AS kind, unnest(@keys::text[]) AS key) AS t
WHERE c.project_id = @project_id AND c.cohort_id = @cohort_id AND c.kind = t.kind AND c.key = t.key;

-- What is not among these ids leaves the list.
-- name: CohortPeopleKeep :execrows
DELETE FROM cohort_people c WHERE c.project_id = @project_id AND c.cohort_id = @cohort_id AND NOT EXISTS (
    SELECT FROM (SELECT unnest(@kinds::smallint[]) AS kind, unnest(@keys::text[]) AS key) AS t WHERE t.kind = c.kind AND t.key = c.key);

-- name: CohortPeopleCount :one
SELECT count(*) FROM cohort_people c WHERE c.project_id = @project_id AND c.cohort_id = @cohort_id;

-- name: CohortPeopleClear :exec
DELETE FROM cohort_people c WHERE c.project_id = @project_id AND c.cohort_id = @cohort_id;

-- name: CohortPeopleDeleteAll :exec
DELETE FROM cohort_people c WHERE c.project_id = @project_id;

-- Takes somebody out of every list of his project, and says which he was in.
-- name: CohortPeopleForget :many
DELETE FROM cohort_people c WHERE c.project_id = @project_id AND c.kind = @kind AND c.key = @key RETURNING c.cohort_id;

-- One id less in each of these lists.
-- name: CohortsUnlist :exec
UPDATE cohorts SET listed = listed - 1, version = version + 1, updated_at = now()
WHERE project_id = @project_id AND id = ANY(@cohort_ids::uuid[]);

-- Erasing people ------------------------------------------------------------------------------------------------------

-- name: ErasureAdd :exec
INSERT INTO erasures (project_id, id, requested_at, pieces) VALUES (@project_id, @id, @requested_at, @pieces);

-- The people of a project who are being erased.
-- name: Erasures :many
SELECT e.id, e.requested_at, e.pieces, e.events FROM erasures e WHERE e.project_id = @project_id ORDER BY e.id;

-- The first project after another that has some.
-- name: ErasuresProjectAfter :one
SELECT e.project_id FROM erasures e WHERE e.project_id > @project_id ORDER BY e.project_id LIMIT 1;

-- name: ErasuresEverywhere :one
SELECT count(*)::bigint AS people FROM erasures;

-- name: ErasureProgress :exec
UPDATE erasures SET events = events + @deleted WHERE project_id = @project_id AND id = @id;

-- name: ErasureDone :exec
DELETE FROM erasures e WHERE e.project_id = @project_id AND e.id = @id;

-- Events in ranges of ids that carry one of some ids.
-- name: EventsOfPeople :many
SELECT s.id, s.ts, s.received_at, s.seq, s.name, s.user_id, s.anonymous_id, s.props::jsonb AS props
FROM (SELECT unnest(@ids_from::uuid[]) AS id_from, unnest(@ids_to::uuid[]) AS id_to) AS t
CROSS JOIN LATERAL (
    SELECT e.id, e.ts, e.received_at, e.seq, e.name, e.user_id, e.anonymous_id, e.props FROM events e
    WHERE e.project_id = @project_id AND e.id >= t.id_from AND e.id < t.id_to
      AND (e.user_id = ANY(@user_ids::text[]) OR e.anonymous_id = ANY(@anonymous_ids::text[]))
    OFFSET 0
) AS s ORDER BY s.id;

-- Deletes events and returns how they were counted.
-- name: EventsErase :many
DELETE FROM events e WHERE e.project_id = @project_id AND e.id = ANY(@event_ids::uuid[]) AND e.id >= @id_from AND e.id <= @id_to
RETURNING (CASE WHEN e.counted_as_other THEN '$other' ELSE e.name END)::text AS name, e.ts;
