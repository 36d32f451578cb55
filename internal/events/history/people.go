package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/partitions"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// How the events of one person are found
//
// A B-tree by person costs ingestion a third of its throughput while it takes the new events, so each is built when
// the time that it is for is over: of a week of this month, and then of the month. What comes late is added to it by
// PostgreSQL. Until then a BRIN index says of each 32 blocks who is not in them; a row costs it next to nothing when
// it is stored, because blocks are summarised in the background, and those that are not summarised yet are always
// read.
//
// Both are ordinary indexes: they find every event, also one that is stored while they are built, and go with their
// partition.

// personIndex is an index of a partition by person: of a week of its month, of the whole partition when day is 0, or
// the one of blocks when it is negative.
type personIndex struct {
	of       partitions.Partition
	day      int // the first of the week
	from, to time.Time
}

const blocks = -1

func (i personIndex) whole() bool  { return i.day == 0 }
func (i personIndex) recent() bool { return i.day == blocks }

func (i personIndex) name() string {
	switch {
	case i.recent():
		return i.of.Name() + "_recent"
	case i.whole():
		return i.of.Name() + "_people"
	default:
		return fmt.Sprintf("%s_people_%02d", i.of.Name(), i.day)
	}
}

// weekDays are the first days of the weeks that get an index. The days after the last are those of the month's own.
var weekDays = []int{1, 8, 15, 22}

func newPersonIndex(of partitions.Partition, day int) personIndex {
	i := personIndex{of: of, day: day, from: of.From, to: of.Until}
	if day > 0 {
		i.from = i.from.AddDate(0, 0, day-1)
		i.to = i.from.AddDate(0, 0, 7)
	}
	return i
}

// parsePersonIndex reads a name; false when it is none that Nimbus gives.
func parsePersonIndex(name string) (personIndex, bool) {
	table, _, ok := strings.Cut(name, "_people")
	if !ok {
		table = strings.TrimSuffix(name, "_recent")
	}
	of, ok := partitions.Parse(table)
	if !ok || table == name {
		return personIndex{}, false
	}
	for _, day := range append([]int{blocks, 0}, weekDays...) {
		if i := newPersonIndex(of, day); i.name() == name {
			return i, true
		}
	}
	return personIndex{}, false
}

// definition is what follows CREATE INDEX … name. 32 blocks hold about a thousand events; wider ranges are fewer to
// look through, and more to read for each that may have the person. All are of events with a user_id, and so no
// choice for a statement that does not ask for one.
func (i personIndex) definition() string {
	table := pgx.Identifier{i.of.Name()}.Sanitize()
	switch {
	case i.recent():
		return "ON " + table +
			" USING brin (id, user_id text_bloom_ops (n_distinct_per_range = 500, false_positive_rate = 0.005))" +
			" WITH (pages_per_range = 32) WHERE user_id IS NOT NULL"
	case i.whole():
		return "ON " + table + " (project_id, user_id, id) WHERE user_id IS NOT NULL"
	default:
		return fmt.Sprintf("ON %s (project_id, user_id, id) WHERE user_id IS NOT NULL AND id >= '%s' AND id < '%s'",
			table, events.FirstID(i.from), events.FirstID(i.to))
	}
}

// settled is how long after its end a week or a month is left alone: what comes late by less would still be many.
const settled = time.Hour

// personIndexesOf are the indexes that a partition should have.
func personIndexesOf(of partitions.Partition, now time.Time) []personIndex {
	if whole := newPersonIndex(of, 0); !now.Before(whole.to.Add(settled)) {
		return []personIndex{whole}
	}
	want := []personIndex{newPersonIndex(of, blocks)}
	for _, day := range weekDays {
		if week := newPersonIndex(of, day); !now.Before(week.to.Add(settled)) {
			want = append(want, week)
		}
	}
	return want
}

// IndexPeople builds the indexes by person that are due at now, one after the other, newest first, and drops those
// that a newer one has replaced. Reading and writing go on meanwhile. A build that was cut off has left an index that
// cannot be used: it is dropped and built anew. One partition that fails does not keep the others waiting; the error
// names each.
func (s *Store) IndexPeople(ctx context.Context, now time.Time) error {
	all, err := s.partitions.List(ctx)
	if err != nil {
		return err
	}
	valid, err := s.personIndexes(ctx, s.pool)
	if err != nil {
		return err
	}
	var failed []error
	slices.Reverse(all)
	for _, of := range all {
		if err := s.indexPartition(ctx, of, now, valid); err != nil && !postgres.IsNoTable(err) { // dropped meanwhile
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

func (s *Store) indexPartition(ctx context.Context, of partitions.Partition, now time.Time, valid map[string]bool) error {
	want := personIndexesOf(of, now)
	for _, i := range want {
		ok, there := valid[i.name()]
		if ok {
			continue
		}
		if there {
			if err := s.alter(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+pgx.Identifier{i.name()}.Sanitize()); err != nil {
				return fmt.Errorf("drop %s, which cannot be used: %w", i.name(), err)
			}
		}
		if err := s.alter(ctx, "CREATE INDEX CONCURRENTLY "+pgx.Identifier{i.name()}.Sanitize()+" "+i.definition()); err != nil {
			return fmt.Errorf("build %s: %w", i.name(), err)
		}
	}
	for name := range valid {
		i, known := parsePersonIndex(name)
		if !known || i.of != of || slices.Contains(want, i) {
			continue
		}
		if err := s.alter(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+pgx.Identifier{name}.Sanitize()); err != nil {
			return fmt.Errorf("drop %s: %w", name, err)
		}
	}
	return nil
}

// alter runs a statement that changes indexes. It leaves one processor to ingestion, and gives up when somebody keeps
// the partition for longer than a minute, as a backup does: half a build is in the way of ingestion while it waits.
func (s *Store) alter(ctx context.Context, statement string) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SET lock_timeout = '1min'; SET max_parallel_maintenance_workers = 0"); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	if _, rerr := conn.Exec(ctx, "RESET lock_timeout; RESET max_parallel_maintenance_workers"); rerr != nil {
		_ = conn.Conn().Close(context.WithoutCancel(ctx)) // else its next user would have these settings
	}
	return err
}

// SummarisePeople brings the indexes of blocks up to date: what was stored since the last time is found by them from
// then on, and need not be read whole.
func (s *Store) SummarisePeople(ctx context.Context) error {
	valid, err := s.personIndexes(ctx, s.pool)
	if err != nil {
		return err
	}
	for name, ok := range valid {
		if i, known := parsePersonIndex(name); !ok || !known || !i.recent() {
			continue
		}
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			// Shorter than the second after which PostgreSQL would interrupt an autovacuum for it.
			if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '500ms'"); err != nil {
				return err
			}
			_, err := s.q.PersonSummarise(ctx, tx, name)
			return err
		})
		if err != nil && !postgres.IsRetryable(err) {
			return fmt.Errorf("summarise %s: %w", name, err)
		}
	}
	return nil
}
