package crash

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// checkParts compares the events of each day with those that are in parts and those that wait for it, and the catalogue with the
// parts. Days that are to be built anew are left out: nobody reads their parts. It returns how many events are in parts.
func checkParts(ctx context.Context, tx pgx.Tx) (inParts int, err error) {
	rows, err := tx.Query(ctx, `
		WITH stored AS (
			SELECT floor(extract(epoch FROM e.ts) / 86400)::int AS day, count(*) AS n FROM events e GROUP BY 1
		), built AS (
			SELECT p.day, sum(p.rows)::bigint AS n FROM event_parts p GROUP BY 1
		), waiting AS (
			SELECT w.day, count(*) AS n
			FROM (SELECT a.project_id, a.xid,
					(('x' || substr(replace(unnest(a.ids)::text, '-', ''), 1, 12))::bit(48)::bigint / 86400000)::int AS day
				FROM arrivals a LEFT JOIN arrival_cursors c ON c.project_id = a.project_id AND c.consumer = 'parts'
				WHERE c.project_id IS NULL OR (a.xid, a.seq) > (c.xid, c.seq)) w
			WHERE NOT EXISTS (SELECT FROM event_part_days d WHERE d.project_id = w.project_id AND d.day = w.day
				AND d.snapshot IS NOT NULL AND pg_visible_in_snapshot(w.xid, d.snapshot))
			GROUP BY 1
		), catalogued AS (
			SELECT c.day, c.events AS n FROM catalogue c WHERE c.day < 2147483647 AND c.name = '' AND c.prop = ''
		)
		SELECT format('day %s: %s events, %s in parts, %s wait, %s in the catalogue',
			day, coalesce(s.n, 0), coalesce(b.n, 0), coalesce(w.n, 0), coalesce(c.n, 0))
		FROM stored s FULL JOIN built b USING (day) FULL JOIN waiting w USING (day) FULL JOIN catalogued c USING (day)
		WHERE (coalesce(s.n, 0) <> coalesce(b.n, 0) + coalesce(w.n, 0) OR coalesce(b.n, 0) <> coalesce(c.n, 0))
			AND NOT EXISTS (SELECT FROM event_part_days d WHERE d.dirty AND d.day IN (s.day, b.day, w.day, c.day))
		ORDER BY day LIMIT 5`)
	if err != nil {
		return 0, fmt.Errorf("compare parts: %w", err)
	}
	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, fmt.Errorf("compare parts: %w", err)
	}
	if len(wrong) > 0 {
		return 0, violation("the parts differ from the events: %q", wrong)
	}
	if err := tx.QueryRow(ctx, "SELECT coalesce(sum(rows), 0)::int FROM event_parts").Scan(&inParts); err != nil {
		return 0, fmt.Errorf("count parts: %w", err)
	}
	return inParts, nil
}
