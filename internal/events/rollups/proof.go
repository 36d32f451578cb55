package rollups

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/postgres"
)

const (
	// shownDifferences is how many differences a Report names; the others are only counted.
	shownDifferences = 20
	// comparedRows is how many differences are held in memory at most; a day with more is compared again.
	comparedRows = 100_000
	// repairRows is how many counts one transaction corrects at most, because ingestion into the same counts waits for
	// it: some tens of milliseconds.
	repairRows = 1_000
	// repairAttempts is how often a correction is tried again when ingestion had the rows locked.
	repairAttempts = 60
	// repairPause lets the ones that were waited for get on.
	repairPause = 100 * time.Millisecond
)

// ErrNoProject says that a project is not there, or is being deleted.
var ErrNoProject = errors.New("there is no such project")

// Difference is one count that is not what the events say.
type Difference struct {
	ProjectID   uuid.UUID
	Granularity int32 // in seconds
	Name        string
	Bucket      time.Time // UTC
	There       bool      // whether there is a row at all
	Has         int64     // what the row says; 0 when there is none
	Should      int64     // how many events there are; 0 when there should be no row
}

// Report is what a Verify found, or what a Rebuild put right.
type Report struct {
	Slices      int          // days of projects that were compared
	Wrong       int          // those of them with a difference
	Differences int64        // in all of them
	First       []Difference // the first of them
}

func (r *Report) add(found []Difference, total int64) {
	r.Differences += total
	r.First = append(r.First, found[:min(len(found), shownDifferences-len(r.First))]...)
}

// Progress is told how many of the slices are done, after each.
type Progress func(done, total int)

// Proof compares event_counts with events, one UTC day of one project at a time, while ingestion goes on.
type Proof struct {
	store        store
	comparedRows int32
	repairRows   int
}

// NewProof returns a Proof on the pool.
func NewProof(pool *pgxpool.Pool) *Proof { return &Proof{newStore(pool), comparedRows, repairRows} }

// Verify compares and changes nothing. A nil project means all of them. When it fails or ctx ends, the Report is of
// what was compared until then.
//
// Errors: ErrNoProject.
func (p *Proof) Verify(ctx context.Context, project *uuid.UUID, progress Progress) (Report, error) {
	var r Report
	err := p.each(ctx, project, progress, func(s slice) error {
		found, total, err := p.store.differences(ctx, p.store.pool, s, shownDifferences)
		if err != nil {
			return err
		}
		r.Slices++
		if total > 0 {
			r.Wrong++
			r.add(found, total)
		}
		return nil
	})
	return r, err
}

// Rebuild corrects what Verify would report, and reads only where there is nothing to correct. A nil project means
// all of them. Each step is a transaction that leaves every count it touches right, so a Rebuild that was stopped is
// taken up by another one, which finds less to do.
//
// It corrects by adding, and locks nothing but the rows it corrects: see doc.go for why that is exact.
//
// Errors: ErrNoProject.
func (p *Proof) Rebuild(ctx context.Context, project *uuid.UUID, progress Progress) (Report, error) {
	var r Report
	err := p.each(ctx, project, progress, func(s slice) error {
		// Most slices are right, and finding that out takes no lock at all.
		found, _, err := p.store.differences(ctx, p.store.pool, s, 1)
		if len(found) > 0 {
			before := r.Differences
			err = p.repair(ctx, s, &r)
			if r.Differences > before { // and another Rebuild was not faster
				r.Wrong++
			}
		}
		if err != nil {
			return err
		}
		r.Slices++
		return nil
	})
	return r, err
}

// repair corrects a slice and adds to the report what is committed.
func (p *Proof) repair(ctx context.Context, s slice, r *Report) error {
	return p.store.repairing(ctx, s.projectID, func(conn *pgxpool.Conn) error {
		for left := int64(1); left > 0; {
			// With the lock held: what another repair has corrected before is in this snapshot.
			found, total, err := p.store.differences(ctx, conn, s, p.comparedRows)
			if err != nil {
				return err
			}
			for some := range slices.Chunk(found, p.repairRows) {
				if err := p.correct(ctx, conn, some); err != nil {
					return err
				}
				r.add(some, int64(len(some)))
			}
			left = total - int64(len(found))
		}
		return nil
	})
}

// correct gives way to ingestion.
func (p *Proof) correct(ctx context.Context, conn *pgxpool.Conn, some []Difference) (err error) {
	for range repairAttempts {
		// Nothing of a correction that may be tried again was committed.
		if err = p.store.correct(ctx, conn, some); err == nil || !postgres.IsRetryable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(repairPause):
		}
	}
	return fmt.Errorf("others kept the counts locked: %w", err)
}

// slice is one UTC day of one project.
type slice struct {
	projectID uuid.UUID
	day       time.Time
}

// each calls do for every slice there is. Those that begin to exist meanwhile are not looked at.
func (p *Proof) each(ctx context.Context, project *uuid.UUID, progress Progress, do func(slice) error) error {
	projects, err := p.store.projects(ctx)
	if err != nil {
		return err
	}
	if project != nil {
		if !slices.Contains(projects, *project) {
			return ErrNoProject
		}
		projects = []uuid.UUID{*project}
	}
	var all []slice
	for _, id := range projects {
		days, err := p.store.days(ctx, id)
		if err != nil {
			return err
		}
		for _, day := range days {
			all = append(all, slice{id, day.UTC()})
		}
	}
	for i, s := range all {
		if err := do(s); err != nil {
			return fmt.Errorf("project %s, %s: %w", s.projectID, s.day.Format(time.DateOnly), err)
		}
		if progress != nil {
			progress(i+1, len(all))
		}
	}
	return nil
}
