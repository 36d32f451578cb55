// Package jobs runs the background jobs of a node: a table of named functions, each run at its interval by one node
// at a time.
//
// A run holds an advisory lock of PostgreSQL, so that one of many nodes does the work. The lock ends with the run or
// with its connection, so a dead node blocks nobody. A successful run is recorded, and nodes whose timer fires within
// the same interval skip it: three nodes do not do the work three times. A panic or an error is logged and counted,
// and the job runs again at the next timer of any node. Health reports a job that has not finished a run for too
// long.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Job is a function that runs periodically. Run does a bounded amount of work and returns; it must stop when its
// context ends.
type Job struct {
	Name  string
	Every time.Duration
	Limit time.Duration // how long one run may take; Every when zero
	Run   func(ctx context.Context) error
}

// Runner runs the jobs until it is stopped.
type Runner struct {
	pool *pgxpool.Pool
	jobs []Job
	log  *slog.Logger
	now  func() time.Time

	mu   sync.Mutex
	last map[string]time.Time // end of the last turn, run here or left to another node
	done sync.WaitGroup
	stop context.CancelFunc

	runs   *prometheus.CounterVec
	failed *prometheus.CounterVec
}

// New returns a Runner; Start starts it.
func New(pool *pgxpool.Pool, jobs []Job, reg prometheus.Registerer, now func() time.Time, log *slog.Logger) *Runner {
	r := &Runner{pool: pool, jobs: jobs, log: log, now: now, last: make(map[string]time.Time, len(jobs)),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_job_runs_total",
			Help: "Runs of the background jobs on this node."}, []string{"job"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_job_failures_total",
			Help: "Runs of the background jobs that failed."}, []string{"job"}),
	}
	reg.MustRegister(r.runs, r.failed)
	for _, j := range jobs {
		r.runs.WithLabelValues(j.Name) // rate() would not see the first increment of a series that begins with it
		r.failed.WithLabelValues(j.Name)
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nimbus_job_age_seconds",
			Help: "Time since the job's last turn ended.", ConstLabels: prometheus.Labels{"job": j.Name}},
			func() float64 { return r.age(j.Name).Seconds() }))
	}
	return r
}

// Start starts a loop for each job.
func (r *Runner) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	for _, j := range r.jobs {
		r.mark(j.Name)
		r.done.Add(1)
		go r.loop(ctx, j)
	}
}

// Stop interrupts the jobs and waits for them.
func (r *Runner) Stop() {
	if r.stop != nil {
		r.stop()
	}
	r.done.Wait()
}

// Health says which job is overdue, or nil.
func (r *Runner) Health() error {
	for _, j := range r.jobs {
		if age := r.age(j.Name); age > 3*j.Every+j.limit() {
			return fmt.Errorf("the job %q has not ended a turn for %s", j.Name, age.Round(time.Second))
		}
	}
	return nil
}

func (j *Job) limit() time.Duration {
	if j.Limit > 0 {
		return j.Limit
	}
	return j.Every
}

func (r *Runner) age(name string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.last[name]
	if !ok {
		return 0
	}
	return r.now().Sub(at)
}

func (r *Runner) mark(name string) {
	r.mu.Lock()
	r.last[name] = r.now()
	r.mu.Unlock()
}

func (r *Runner) loop(ctx context.Context, j Job) {
	defer r.done.Done()
	for {
		// Jitter, so that the nodes of a deployment do not all ask for the lock at once.
		wait := j.Every + time.Duration(rand.Int64N(int64(j.Every/10)+1)) //nolint:gosec // not a secret
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		r.Turn(ctx, j)
	}
}

// Turn runs the job once, unless another node is running it or has done so within the interval.
func (r *Runner) Turn(ctx context.Context, j Job) {
	err := r.turn(ctx, j, "SELECT pg_try_advisory_lock(hashtext($1))", true)
	if err != nil && ctx.Err() != context.Canceled {
		r.log.Warn("job failed; it runs again at its next turn", "job", j.Name, "error", err)
	}
}

// Run runs the job of this name now, after a run that is under way, and returns its error.
func (r *Runner) Run(ctx context.Context, name string) error {
	for _, j := range r.jobs {
		if j.Name == name {
			return r.turn(ctx, j, "SELECT true FROM pg_advisory_lock(hashtext($1))", false)
		}
	}
	return fmt.Errorf("there is no job %q", name)
}

func (r *Runner) turn(ctx context.Context, j Job, lock string, ifDue bool) error {
	defer r.mark(j.Name)
	within, cancel := context.WithTimeout(ctx, j.limit())
	defer cancel()
	ran, err := r.locked(within, j, lock, ifDue)
	if ran {
		r.runs.WithLabelValues(j.Name).Inc()
	}
	if err != nil && ctx.Err() != context.Canceled {
		r.failed.WithLabelValues(j.Name).Inc()
	}
	return err
}

func (r *Runner) locked(ctx context.Context, j Job, lock string, ifDue bool) (ran bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("acquire a connection: %w", err)
	}
	defer conn.Release()
	key := "nimbus.job." + j.Name
	var got bool
	if err := conn.QueryRow(ctx, lock, key).Scan(&got); err != nil {
		return false, fmt.Errorf("ask for the lock: %w", err)
	}
	if !got {
		return false, nil
	}
	defer func() {
		// With a context of its own: the lock must be released when the job was interrupted.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, uerr := conn.Exec(ctx, "SELECT pg_advisory_unlock(hashtext($1))", key); uerr != nil {
			_ = conn.Conn().Close(ctx) // the lock dies with its connection
		}
	}()
	if ifDue {
		if due, err := isDue(ctx, conn, j); err != nil || !due {
			return false, err
		}
	}
	ran = true // even when it panics
	if err := j.Run(ctx); err != nil {
		return ran, err
	}
	return ran, r.ended(ctx, j)
}

// isDue reports whether the interval since the last run is over, by the database's clock, which all nodes share. A
// tenth of the interval is tolerance, because the timer of the node that did the work must not fire a moment too
// early. A run recorded in the future was recorded by a wrong clock, and delays nobody until then.
func isDue(ctx context.Context, conn *pgxpool.Conn, j Job) (due bool, err error) {
	err = conn.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM job_turns
		WHERE job = $1 AND ended_at BETWEEN clock_timestamp() - make_interval(secs => $2) AND clock_timestamp())`,
		j.Name, (j.Every - j.Every/10).Seconds()).Scan(&due)
	if err != nil {
		return false, fmt.Errorf("ask when it ran last: %w", err)
	}
	return due, nil
}

// ended uses another connection: that of the lock may have been lost during a run that succeeded all the same.
func (r *Runner) ended(ctx context.Context, j Job) error {
	if _, err := r.pool.Exec(ctx, `INSERT INTO job_turns (job, ended_at) VALUES ($1, clock_timestamp())
		ON CONFLICT (job) DO UPDATE SET ended_at = excluded.ended_at`, j.Name); err != nil {
		return fmt.Errorf("write down that it ran: %w", err)
	}
	return nil
}
