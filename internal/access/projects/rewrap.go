package projects

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

// boxedSecret is a stored secret under another key than the current one.
type boxedSecret struct {
	id       string
	box      []byte
	sealedBy string
}

// Rewrap seals every stored secret anew that is not under the current key, so that the previous keys can be thrown away.
// It may run while Nimbus serves, and more than once at a time. progress is told, after each page of 500, how many
// secrets have been sealed anew.
//
// A secret that cannot be opened is left as it is, and the others go on. Should there be any, the error at the end says
// how many and why: without the key they name, they are lost. A nil error means that the last look at the database
// found no secret under another key.
func (k *Keys) Rewrap(ctx context.Context, progress func(done int)) (rewrapped int, err error) {
	// Until a whole pass changes nothing: a node that still seals under the previous key may add secrets behind us.
	for {
		changed, unopened, err := k.rewrapPass(ctx, func(changed int) { progress(rewrapped + changed) })
		rewrapped += changed
		if err != nil {
			return rewrapped, err
		}
		if changed == 0 {
			return rewrapped, unopened.err()
		}
	}
}

func (k *Keys) rewrapPass(ctx context.Context, progress func(changed int)) (changed int, unopened unopened, err error) {
	unopened = make(map[string]int)
	after := ""
	for {
		page, err := k.store.secretsToRewrap(ctx, k.ring.CurrentID(), after)
		if err != nil || len(page) == 0 {
			return changed, unopened, err
		}
		for _, old := range page {
			after = old.id
			secret, err := k.ring.Open(old.box, old.sealedBy, []byte(old.id))
			if err != nil {
				unopened.add(old, err)
				continue
			}
			box, sealedBy, err := k.ring.Seal(secret, []byte(old.id))
			if err != nil {
				return changed, unopened, fmt.Errorf("seal the secret of key %s: %w", old.id, err)
			}
			done, err := k.store.rewrap(ctx, old, box, sealedBy)
			if err != nil {
				return changed, unopened, err
			}
			if done { // otherwise someone else has sealed it anew, or deleted it, in the meantime
				changed++
			}
		}
		progress(changed)
	}
}

// unopened counts the secrets that could not be opened, by the reason.
type unopened map[string]int

func (u unopened) add(s boxedSecret, err error) {
	reason := err.Error()
	if !errors.As(err, new(*secretbox.UnknownKeyError)) {
		reason = fmt.Sprintf("(of API key %s): %s", s.id, reason)
	}
	u[reason]++
}

func (u unopened) err() error {
	if len(u) == 0 {
		return nil
	}
	total := 0
	lines := make([]string, 0, len(u))
	for reason, n := range u {
		total += n
		lines = append(lines, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(lines)
	return fmt.Errorf("%d secrets could not be opened and stay as they were: %s", total, strings.Join(lines, "; "))
}
