// Package clock compares the clock of this node with that of the database. What is deleted because of its age is gone
// for good, and one clock that is wrong must not be enough for it.
package clock

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Tolerance is how much the two clocks may differ. Machines that keep their time by NTP differ by milliseconds; a
// virtual machine that was suspended needs a moment to notice.
const Tolerance = 5 * time.Minute

// askTime is how long the database may take to tell its time.
const askTime = 2 * time.Second

// Clocks are those of this node and of the database.
type Clocks struct {
	pool *pgxpool.Pool
	now  func() time.Time
	log  *slog.Logger
}

// New returns Clocks and registers nimbus_clock_difference_seconds.
func New(pool *pgxpool.Pool, now func() time.Time, reg prometheus.Registerer, log *slog.Logger) *Clocks {
	c := &Clocks{pool: pool, now: now, log: log}
	reg.MustRegister(difference{c, prometheus.NewDesc("nimbus_clock_difference_seconds",
		"How far the clock of this node is ahead of the database's; nothing is deleted for its age beyond 300 either way.", nil, nil)})
	return c
}

// DifferError says that the clocks differ by more than Tolerance.
type DifferError struct {
	Ahead time.Duration // how far this node is ahead of the database; negative when behind
}

func (e *DifferError) Error() string {
	which, by := "ahead of", e.Ahead
	if by < 0 {
		which, by = "behind", -by
	}
	return fmt.Sprintf("the clock of this node is %s %s the database's: nothing is deleted for its age until they agree to %s; "+
		"set the one that is wrong, and have both kept by NTP", by.Round(time.Second), which, Tolerance)
}

// Compare returns how far this node is ahead of the database, less what the answer may have taken.
func (c *Clocks) Compare(ctx context.Context) (ahead time.Duration, database time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	before := c.now()
	if err := c.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&database); err != nil {
		return 0, database, fmt.Errorf("ask the database for its time: %w", err)
	}
	switch after := c.now(); {
	case database.Before(before):
		return before.Sub(database), database, nil
	case database.After(after):
		return after.Sub(database), database, nil
	default:
		return 0, database, nil
	}
}

// Check returns a *DifferError when the clocks differ by more than Tolerance; nil also when the database does not
// answer, which is for others to say.
func (c *Clocks) Check(ctx context.Context) error {
	if ahead, _, err := c.Compare(ctx); err == nil && ahead.Abs() > Tolerance {
		return &DifferError{ahead}
	}
	return nil
}

// Deleting makes a job of what deletes by age: it is called with the earlier of both times, and not at all while they
// differ by more than Tolerance.
func (c *Clocks) Deleting(run func(ctx context.Context, now time.Time) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ahead, database, err := c.Compare(ctx)
		switch {
		case err != nil:
			return err
		case ahead.Abs() > Tolerance:
			return &DifferError{ahead}
		case ahead > 0:
			return run(ctx, database)
		default:
			return run(ctx, c.now())
		}
	}
}

// difference is the metric. It is asked for at each scrape, and left out while the database does not answer.
type difference struct {
	clocks *Clocks
	desc   *prometheus.Desc
}

func (d difference) Describe(ch chan<- *prometheus.Desc) { ch <- d.desc }

func (d difference) Collect(ch chan<- prometheus.Metric) {
	ahead, _, err := d.clocks.Compare(context.Background())
	if err != nil {
		d.clocks.log.Warn("the clocks were not compared", "error", err)
		return
	}
	ch <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, ahead.Seconds())
}
