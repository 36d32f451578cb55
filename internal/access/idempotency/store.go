package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
)

type store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

func newStore(pool *pgxpool.Pool) store { return store{pool: pool, q: db.New()} }

// stored is an answer as it is kept.
type stored struct {
	hash     []byte // of the request
	status   int
	box      []byte
	sealedBy string
}

// lock reports whether this transaction is the only one for the name; it does not wait.
func (s store) lock(ctx context.Context, tx pgx.Tx, name string) (bool, error) {
	locked, err := s.q.IdempotencyLock(ctx, tx, name)
	if err != nil {
		return false, fmt.Errorf("lock an idempotency key: %w", err)
	}
	return locked, nil
}

func (s store) find(ctx context.Context, tx pgx.Tx, req Request, since time.Time) (stored, bool, error) {
	row, err := s.q.IdempotencyFind(ctx, tx, db.IdempotencyFindParams{AccountID: req.Account, Operation: req.Operation, Key: req.Key, Since: since})
	if errors.Is(err, pgx.ErrNoRows) {
		return stored{}, false, nil
	}
	if err != nil {
		return stored{}, false, fmt.Errorf("find the answer to an idempotency key: %w", err)
	}
	return stored{hash: row.RequestHash, status: int(row.Status), box: row.ReplyBox, sealedBy: row.SecretKeyID}, true, nil
}

func (s store) keep(ctx context.Context, tx pgx.Tx, req Request, a stored, now time.Time) error {
	err := s.q.IdempotencyKeep(ctx, tx, db.IdempotencyKeepParams{
		AccountID: req.Account, Operation: req.Operation, Key: req.Key, RequestHash: a.hash,
		Status: int32(a.status), ReplyBox: a.box, SecretKeyID: a.sealedBy, CreatedAt: now,
	})
	if err != nil {
		return fmt.Errorf("keep the answer to an idempotency key: %w", err)
	}
	return nil
}

// count returns how many answers the account of a request has, up to maxKept.
func (s store) count(ctx context.Context, tx pgx.Tx, req Request) (int64, error) {
	n, err := s.q.IdempotencyCount(ctx, tx, req.Account, maxKept)
	if err != nil {
		return 0, fmt.Errorf("count the answers of an account: %w", err)
	}
	return n, nil
}

func (s store) prune(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q.IdempotencyPrune(ctx, s.pool, before)
	if err != nil {
		return 0, fmt.Errorf("prune idempotency keys: %w", err)
	}
	return n, nil
}
