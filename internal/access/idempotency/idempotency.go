package idempotency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

const (
	// lifetime is how long an answer can be asked for again.
	lifetime = 24 * time.Hour
	// retryAfter is the Retry-After while the first request is answered, which takes milliseconds.
	retryAfter = time.Second
	// fullPause is the Retry-After of an account with too many kept answers; the oldest end within a day.
	fullPause = 10 * time.Minute
	// pruneStepRows is as db/queries/idempotency.sql has it.
	pruneStepRows = 1000
	// maxKept is how many answers of one account are kept at once: each is up to some kilobytes, and a day is long.
	maxKept = 5000
)

// Request is what a key stands for.
type Request struct {
	Account   uuid.UUID
	Operation string
	Key       string
	Hash      []byte // of everything that makes it this request and no other
}

// name is unique for the key: neither an id nor an operation has a space.
func (r *Request) name() string { return r.Account.String() + " " + r.Operation + " " + r.Key }

// Reply is an answer.
type Reply struct {
	Status int
	Body   []byte
}

// Replies keeps the answers of requests.
type Replies struct {
	pool  *pgxpool.Pool
	store store
	ring  *secretbox.Ring
	now   func() time.Time
}

// New makes a Replies that keeps them in pool, sealed with ring.
func New(pool *pgxpool.Pool, ring *secretbox.Ring, now func() time.Time) *Replies {
	return &Replies{pool: pool, store: newStore(pool), ring: ring, now: now}
}

// Once returns the answer to a request: the one that was kept, or else that of do, which is kept when it is a 2xx. What do
// writes through postgres.InTx with its context is committed together with the answer; another answer, or an error,
// undoes it. do must write in no other way, and need no connection besides.
//
// Errors: idempotency_in_progress, idempotency_key_reused, rate_limited for an account that has too many answers kept, and those
// of do.
func (r *Replies) Once(ctx context.Context, req Request, do func(context.Context) (Reply, error)) (Reply, error) {
	var reply Reply
	err := postgres.InTx(ctx, r.pool, func(tx pgx.Tx) error {
		locked, err := r.store.lock(ctx, tx, req.name())
		if err != nil {
			return err
		}
		if !locked {
			return &problem.Error{Code: problem.CodeIdempotencyRunning, RetryAfter: retryAfter,
				Detail: "A request with this Idempotency-Key is still being answered."}
		}
		kept, found, err := r.store.find(ctx, tx, req, r.now().Add(-lifetime))
		if err != nil {
			return err
		}
		if found {
			reply, err = r.again(req, kept)
			return err
		}
		if kept, err := r.store.count(ctx, tx, req); err != nil {
			return err
		} else if kept >= maxKept {
			return &problem.Error{Code: problem.CodeRateLimited, RetryAfter: fullPause,
				Detail: "This account has used too many Idempotency-Keys in the last day. Nothing was done."}
		}
		if reply, err = do(postgres.WithTx(ctx, tx)); err != nil {
			return err
		}
		if reply.Status/100 != 2 {
			return errUndo
		}
		box, sealedBy, err := r.ring.Seal(reply.Body, []byte(req.name()))
		if err != nil {
			return fmt.Errorf("seal the answer: %w", err)
		}
		return r.store.keep(ctx, tx, req, stored{hash: req.Hash, status: reply.Status, box: box, sealedBy: sealedBy}, r.now())
	})
	if err != nil && !errors.Is(err, errUndo) {
		return Reply{}, err
	}
	return reply, nil
}

// errUndo rolls back what an answer that is no success may have left.
var errUndo = errors.New("the answer is not a success")

// again opens an answer that was kept.
func (r *Replies) again(req Request, kept stored) (Reply, error) {
	if !bytes.Equal(kept.hash, req.Hash) {
		return Reply{}, problem.New(problem.CodeIdempotencyReused,
			"This Idempotency-Key was used for another request less than %s ago.", lifetime)
	}
	body, err := r.ring.Open(kept.box, kept.sealedBy, []byte(req.name()))
	if err != nil {
		return Reply{}, fmt.Errorf("open the answer that was kept: %w", err)
	}
	return Reply{Status: kept.status, Body: body}, nil
}

// Prune removes the answers that can no longer be asked for.
func (r *Replies) Prune(ctx context.Context, now time.Time) error {
	for {
		removed, err := r.store.prune(ctx, now.Add(-lifetime))
		if err != nil || removed < pruneStepRows {
			return err
		}
	}
}
