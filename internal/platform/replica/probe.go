package replica

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// LateError says that a standby did not come, in the time it had, to what the primary had written.
type LateError struct {
	After time.Duration
	Bytes int64
}

func (e *LateError) Error() string {
	return fmt.Sprintf("after %s it has not replayed what the primary had written; it is %d bytes behind", e.After.Round(100*time.Millisecond), e.Bytes)
}

// probeInterval is between two looks at a standby that has not come there yet.
const probeInterval = 20 * time.Millisecond

// Probe measures once how long a standby takes to come to what the primary has written by now. When ctx ends first, the
// error is a [LateError]; another error means that the standby would not be asked at all.
func Probe(ctx context.Context, primary, standby *pgxpool.Pool) (time.Duration, error) {
	w := &watch{primary: primary, standby: standby}
	begun := time.Now()
	for {
		found, err := w.measure(context.WithoutCancel(ctx)) // which has a limit of its own
		switch {
		case err != nil:
			return 0, err
		case found.known:
			return time.Since(begun), nil
		}
		select {
		case <-ctx.Done():
			return 0, &LateError{After: time.Since(begun), Bytes: found.bytes}
		case <-time.After(probeInterval):
		}
	}
}
