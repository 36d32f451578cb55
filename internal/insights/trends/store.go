package trends

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// total is the name of the rows that count all names together.
const total = ""

// maxRowsRead bounds what one query by name may bring into memory, unless a single name needs more.
const maxRowsRead = 250_000

// maxNamesRead bounds the names of one query.
const maxNamesRead = 1000

// workMem is for each step of a question that sorts or hashes: enough for the people of a month, which would otherwise be
// written to disk.
const workMem = "32MB"

type store struct {
	pool    *pgxpool.Pool
	queries *db.Queries
	limits  query.Limits
}

func newStore(pool *pgxpool.Pool, limits query.Limits) *store {
	return &store{pool: pool, queries: db.New(), limits: limits}
}

// reader reads the counts and the events of one project.
type reader struct {
	store     *store
	tx        db.DBTX
	projectID uuid.UUID
}

// pooled returns a reader for a single query of the counts.
func (s *store) pooled(projectID uuid.UUID) *reader { return &reader{s, s.pool, projectID} }

// snapshot lets fn read several times and see the same. A statement that takes longer than the whole question may is
// cancelled, and the error says what the caller can do about it.
func (s *store) snapshot(ctx context.Context, projectID uuid.UUID, fn func(*reader) error) error {
	err := postgres.InSnapshot(ctx, s.pool, s.limits.Timeout, func(tx pgx.Tx) error { return fn(&reader{s, tx, projectID}) },
		"work_mem = '"+workMem+"'", "extra_float_digits = 1") // else an operator's 0 rounds percentiles
	if ctx.Err() == nil && postgres.IsStatementTimeout(err) {
		return s.limits.TooSlow(err)
	}
	return err
}

// measures calls each with every row of a question's series. A measure is decimal text, nil where there is none; value is
// that of a group.
func (r *reader) measures(ctx context.Context, q *question, limit int, each func(bucket, group int, measure, value *string)) error {
	sql, args := q.series(limit)
	rows, err := r.ask(ctx, sql, args)
	if err == nil {
		var bucket, group int
		var measure, value *string
		_, err = pgx.ForEachRow(rows, []any{&bucket, &group, &measure, &value}, func() error {
			each(bucket, group, measure, value)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("read measures: %w", err)
	}
	return nil
}

// ask runs a statement that was made for one question: it is planned for its values, and not remembered.
func (r *reader) ask(ctx context.Context, sql string, args []any) (pgx.Rows, error) {
	return r.tx.Query(ctx, sql, append([]any{pgx.QueryExecModeDescribeExec}, args...)...)
}

// series returns the counts of the names, all when there are none, one for each bucket between the bounds. The runs
// are the plan of the bounds.
func (r *reader) series(ctx context.Context, runs []query.Run, names []string, bounds []int64) ([]int64, error) {
	if len(names) == 0 {
		names = []string{total}
	}
	if cutFromHours(bounds) {
		byName, err := r.pieces(ctx, names, bounds)
		series := make([]int64, len(bounds)-1)
		for _, some := range byName {
			for i, n := range some {
				series[i] += n
			}
		}
		return series, err
	}
	arg := db.CountsSeriesParams{Names: names, ProjectID: r.projectID}
	arg.Granularities, arg.Froms, arg.Tos = columns(runs)
	rows, err := r.store.queries.CountsSeries(ctx, r.tx, arg)
	if err != nil {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	series, f := make([]int64, len(bounds)-1), query.Folder{Bounds: bounds}
	for i := range rows {
		series[f.Bucket(rows[i].Bucket.Unix())] += rows[i].Count
	}
	return series, nil
}

// seriesByName is series for each name; one that has no events in the window is missing.
func (r *reader) seriesByName(ctx context.Context, runs []query.Run, names []string, bounds []int64) (map[string][]int64, error) {
	if cutFromHours(bounds) {
		return r.pieces(ctx, names, bounds)
	}
	arg := db.CountsSeriesByNameParams{ProjectID: r.projectID}
	arg.Granularities, arg.Froms, arg.Tos = columns(runs)
	byName, f := make(map[string][]int64), query.Folder{Bounds: bounds}
	for some := range slices.Chunk(names, int(min(max(maxRowsRead/query.Rows(runs), 1), maxNamesRead))) {
		arg.Names = some
		rows, err := r.store.queries.CountsSeriesByName(ctx, r.tx, arg)
		if err != nil {
			return nil, fmt.Errorf("read counts by name: %w", err)
		}
		for i := range rows {
			series := byName[rows[i].Name]
			if series == nil {
				series = make([]int64, len(bounds)-1)
				byName[rows[i].Name] = series
			}
			series[f.Bucket(rows[i].Bucket.Unix())] += rows[i].Count
		}
	}
	return byName, nil
}

// cutFromHours says whether many buckets begin and end within hours, so that minutes would be most of what is read.
func cutFromHours(bounds []int64) bool {
	const many, hour = 24, 3600
	within := 0
	for i := 1; i < len(bounds); i++ {
		if bounds[i]%hour != 0 && bounds[i]-bounds[i-1] >= hour/2 && bounds[i]-bounds[i-1] <= 2*hour {
			within++
		}
	}
	return within > many && within > len(bounds)/2
}

// pieces is seriesByName of buckets that are cut out of hours.
func (r *reader) pieces(ctx context.Context, names []string, bounds []int64) (map[string][]int64, error) {
	runs := query.Pieces(bounds)
	arg := db.CountsPiecesParams{ProjectID: r.projectID}
	arg.Granularities, arg.Froms, arg.Tos = columns(runs)
	byName := make(map[string][]int64)
	for some := range slices.Chunk(names, max(maxRowsRead/len(runs), 1)) {
		arg.Names = some
		rows, err := r.store.queries.CountsPieces(ctx, r.tx, arg)
		if err != nil {
			return nil, fmt.Errorf("read counts by name: %w", err)
		}
		sums := map[string]map[query.Run]int64{}
		for _, row := range rows {
			if sums[row.Name] == nil {
				sums[row.Name] = make(map[query.Run]int64, len(runs))
			}
			run := query.Run{Granularity: int64(row.Granularity), From: row.From.Unix(), To: row.To.Unix()}
			sums[row.Name][run] = row.Count
		}
		for name, has := range sums {
			byName[name] = query.Piecewise(bounds, has)
		}
	}
	return byName, nil
}

// names returns every name the project has sent.
func (r *reader) names(ctx context.Context) ([]string, error) {
	names, err := r.store.queries.CountsNames(ctx, r.tx, r.projectID)
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	return names, nil
}

// columns is the runs as the queries take them.
func columns(runs []query.Run) (granularities []int32, froms, tos []time.Time) {
	granularities, froms, tos = make([]int32, len(runs)), make([]time.Time, len(runs)), make([]time.Time, len(runs))
	for i, run := range runs {
		granularities[i] = int32(run.Granularity)
		froms[i], tos[i] = time.Unix(run.From, 0).UTC(), time.Unix(run.To, 0).UTC()
	}
	return granularities, froms, tos
}
