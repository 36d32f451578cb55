package crash

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

// check pauses the load and compares the stored events with the expected ones. PostgreSQL may still be going down
// after the last kill, so an interrupted check is repeated.
func check(ctx context.Context, w *world, l *load, s *Summary) error {
	l.gate.Lock()
	defer l.gate.Unlock()
	for begun := time.Now(); ; {
		err := errors.Join(l.violated(), w.dead())
		if err == nil {
			err = look(ctx, w, l, s)
		}
		var v *Violation
		if err == nil || errors.As(err, &v) || ctx.Err() != nil {
			s.Checks++
			return err
		}
		if time.Since(begun) > stuckTime {
			return violation("the database or the server cannot be asked for %s: %v\n%s", stuckTime, err, w.said.String())
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func look(ctx context.Context, w *world, l *load, s *Summary) error {
	conn, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "SET TIME ZONE 'UTC'"); err != nil {
		return fmt.Errorf("set the time zone: %w", err)
	}
	// One snapshot: a server that was killed may have left a transaction that is only now being committed.
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	events := func(c *client) *stream { return &c.events }
	if s.Sent, s.Acked, s.Stored, err = checkStored(ctx, tx, l, "event", "SELECT seq FROM events", events); err != nil {
		return err
	}
	s.Unacked = s.Stored - s.Acked
	operations := func(c *client) *stream { return &c.operations }
	_, s.OperationsAcked, s.OperationsStored, err = checkStored(ctx, tx, l, "operation",
		"SELECT (props ->> 'seq')::bigint FROM profile_operations", operations)
	if err != nil {
		return err
	}
	l.mu.Lock()
	s.Requests, s.Refused, s.Broken, s.Repeated = l.requests, l.refused, l.cut, l.repeated
	l.mu.Unlock()
	if err := checkContent(ctx, tx); err != nil {
		return err
	}
	if err := checkRollups(ctx, tx); err != nil {
		return err
	}
	if s.InParts, err = checkParts(ctx, tx); err != nil {
		return err
	}
	if err := tx.Rollback(ctx); err != nil {
		return fmt.Errorf("end the look: %w", err)
	}
	return l.checkAPI(ctx, conn)
}

// checkStored compares what is stored of one kind with what was sent and acknowledged.
func checkStored(ctx context.Context, tx pgx.Tx, l *load, kind, sql string, of func(*client) *stream) (sent, acked, stored int, err error) {
	have, err := readStored(ctx, tx, l, kind, sql, of)
	if err != nil {
		return 0, 0, 0, err
	}
	for k, c := range l.clients {
		sent += of(c).next
		acked += of(c).acked.count
		stored += have[k].count
		for i, word := range of(c).acked.words {
			var there uint64
			if i < len(have[k].words) {
				there = have[k].words[i]
			}
			if lost := word &^ there; lost != 0 {
				err = violation("acknowledged and not stored: %ss of client %d from number %d on, mask %x", kind, c.number, i*64, lost)
				return 0, 0, 0, err
			}
		}
	}
	return sent, acked, stored, nil
}

// readStored returns the numbers of what is stored of each client.
func readStored(ctx context.Context, tx pgx.Tx, l *load, kind, sql string, of func(*client) *stream) ([]bitmap, error) {
	stored := make([]bitmap, len(l.clients))
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("read %ss: %w", kind, err)
	}
	var seq int64
	_, err = pgx.ForEachRow(rows, []any{&seq}, func() error {
		number, k := seq>>clientShift, int(seq&(1<<clientShift-1))
		switch {
		case number < 0 || number >= int64(len(l.clients)) || k >= of(l.clients[number]).next:
			return violation("stored and never sent: %s %d of client %d", kind, k, number)
		case stored[number].has(k):
			return violation("stored twice: %s %d of client %d", kind, k, number)
		}
		stored[number].add(k)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %ss: %w", kind, err)
	}
	return stored, nil
}

// checkContent looks for events that differ from those sent: each field is a function of the event's number.
func checkContent(ctx context.Context, tx pgx.Tx) error {
	var mixed int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM events
		WHERE name <> 'n' || seq % $1 OR user_id IS DISTINCT FROM 'u' || seq % $2 OR props ->> 'n' IS DISTINCT FROM seq::text`,
		int64(names), int64(users)).Scan(&mixed); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	if mixed > 0 {
		return violation("%d stored events differ from what was sent", mixed)
	}
	return nil
}

// checkRollups compares every row of the rollups, and every one that should be there, with the events.
func checkRollups(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		WITH events AS (
			SELECT e.project_id, g.granularity, coalesce(e.name, '') AS name, date_trunc(g.unit, e.ts) AS bucket, count(*) AS count
			FROM events e CROSS JOIN (VALUES (60, 'minute'), (3600, 'hour'), (86400, 'day')) AS g (granularity, unit)
			GROUP BY GROUPING SETS ((1, 2, 4, e.name), (1, 2, 4))
		)
		SELECT format('granularity %s, name %L, bucket %s: %s events, and the rollup says %s', granularity, name, bucket,
			coalesce(e.count, 0), coalesce(c.count, 0))
		FROM events e FULL JOIN event_counts c USING (project_id, granularity, name, bucket)
		WHERE e.count IS DISTINCT FROM c.count ORDER BY granularity, name, bucket LIMIT 5`)
	if err != nil {
		return fmt.Errorf("compare rollups: %w", err)
	}
	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("compare rollups: %w", err)
	}
	if len(wrong) > 0 {
		return violation("the rollups differ from the events: %q", wrong)
	}
	return nil
}

// checkAPI compares the answers of the server with the events.
func (l *load) checkAPI(ctx context.Context, conn *pgx.Conn) error {
	if err := l.call(ctx, "GET", "/v1/health", "", nil, nil); err != nil {
		return err
	}
	query := url.Values{"project_id": {l.projectID.String()}, "bucket": {"1h"},
		"from": {l.base.Add(-2 * spread).Format(time.RFC3339)}, "to": {l.base.Add(24 * time.Hour).Format(time.RFC3339)}}
	for k := -1; k < names; k++ {
		sql := "SELECT count(*) FROM events"
		if k >= 0 {
			query.Set("name", fmt.Sprintf("n%d", k))
			sql += fmt.Sprintf(" WHERE name = 'n%d'", k)
		}
		var before, after int
		if err := conn.QueryRow(ctx, sql).Scan(&before); err != nil {
			return fmt.Errorf("count events: %w", err)
		}
		var answer struct{ Total int }
		if err := l.call(ctx, "GET", "/v1/metrics?"+query.Encode(), "", nil, &answer); err != nil {
			return err
		}
		if err := conn.QueryRow(ctx, sql).Scan(&after); err != nil {
			return fmt.Errorf("count events: %w", err)
		}
		if answer.Total < before || answer.Total > after {
			return violation("%s: %d events over the API, %d to %d stored", query.Encode(), answer.Total, before, after)
		}
	}
	var page struct{ Items []struct{ Seq int64 } }
	if err := l.call(ctx, "GET", "/v1/events?limit=1000&project_id="+l.projectID.String(), "", nil, &page); err != nil {
		return err
	}
	for _, e := range page.Items {
		if number := e.Seq >> clientShift; number < 0 || number >= int64(len(l.clients)) || int(e.Seq&(1<<clientShift-1)) >= l.clients[number].events.next {
			return violation("the API shows an event that was never sent: seq %d", e.Seq)
		}
	}
	return l.checkProfiles(ctx, conn)
}

// checkProfiles compares the profiles that the server shows with the operations, whether they are applied yet or not.
func (l *load) checkProfiles(ctx context.Context, conn *pgx.Conn) error {
	var page struct {
		Items []struct {
			Person string
			Props  struct{ Visits int64 }
		}
	}
	const sql = "SELECT key, count(*) FROM profile_operations WHERE kind = 1 GROUP BY key"
	before, err := counted(ctx, conn, sql)
	if err != nil {
		return err
	}
	if err := l.call(ctx, "GET", "/v1/people?limit=1000&props=%7B%7D&project_id="+l.projectID.String(), "", nil, &page); err != nil {
		return err
	}
	after, err := counted(ctx, conn, sql)
	if err != nil {
		return err
	}
	shown := make(map[string]int64)
	for _, p := range page.Items {
		shown[p.Person] = p.Props.Visits
	}
	for user := range after {
		if n := shown[user]; n < before[user] || n > after[user] {
			return violation("the profile of %s adds up to %d visits, %d to %d operations are stored", user, n, before[user], after[user])
		}
	}
	return nil
}

func counted(ctx context.Context, conn *pgx.Conn, sql string) (map[string]int64, error) {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("count operations: %w", err)
	}
	counts, key, n := make(map[string]int64), "", int64(0)
	_, err = pgx.ForEachRow(rows, []any{&key, &n}, func() error {
		counts[key] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count operations: %w", err)
	}
	return counts, nil
}

// awaitReady waits until the server says that it is ready.
func (w *world) awaitReady(ctx context.Context) error {
	probe := newProbe(w.url)
	for begun := time.Now(); ; {
		err := w.dead()
		if err == nil {
			if err = probe.call(ctx, "GET", "/v1/health", "", nil, nil); err == nil {
				return nil
			}
		}
		if time.Since(begun) > stuckTime {
			return fmt.Errorf("the server did not start: %w\n%s", err, w.said.String())
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}
