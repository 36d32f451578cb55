package quota

import (
	"fmt"
	"sync"
	"time"

	"github.com/bahagh/nimbus/internal/contract/problem"
)

// disk is the room that the database has, asked for once a second at most.
type disk struct {
	free func() (uint64, error)
	min  uint64
	now  func() time.Time

	mu    sync.Mutex
	asked time.Time
	err   error
}

const (
	diskEvery = time.Second
	diskRetry = 30 * time.Second
)

// check returns a problem of status 503 while less is free than must be. A disk that cannot be asked is no reason.
func (d *disk) check() error {
	if d.free == nil || d.min == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.now(); d.asked.IsZero() || now.Sub(d.asked).Abs() >= diskEvery {
		d.asked, d.err = now, nil
		if free, err := d.free(); err == nil && free < d.min {
			d.err = &problem.Error{Code: problem.CodeLowOnDisk, RetryAfter: diskRetry, Detail: fmt.Sprintf(
				"Of the %d bytes that are kept free for a restart and for deletion, %d are left. "+
					"Nothing of this request was stored.", d.min, free)}
		}
	}
	return d.err
}
