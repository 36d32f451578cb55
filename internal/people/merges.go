package people

import (
	"context"
	"crypto/sha256"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
)

// Merges makes one person of two users, and takes that back.
type Merges struct{ store *behaviour.Store }

// NewMerges returns the Merges of a store.
func NewMerges(store *behaviour.Store) *Merges { return &Merges{store} }

// codeSame is the code of a merge of a user with himself, codeNobody of an id that many clients send when they have none.
const (
	codeSame   = "same_person"
	codeNobody = "nobody"
)

// Merge says that a user is another one, and returns the merge. Said again it is the same merge.
//
// Errors: a problem of status 422 that names from and into.
func (m *Merges) Merge(ctx context.Context, project uuid.UUID, from, into string) (merged behaviour.Merged, err error) {
	var bad []contract.FieldError
	refuse := func(field, code, detail string) {
		bad = append(bad, contract.FieldError{In: contract.InBody, Pointer: "/" + field, Code: code, Detail: detail, Item: -1})
	}
	for field, id := range map[string]string{"from": from, "into": into} {
		if events.Junk(id) {
			refuse(field, codeNobody, "is what clients send when they have no id, so it names nobody")
		}
	}
	if from == into {
		refuse("into", codeSame, "is the user of from himself: a merge needs two")
	}
	if len(bad) > 0 {
		return merged, problem.Invalid(bad...)
	}
	merged = behaviour.Merged{ID: mergeID(project, from, into), From: from, Into: into}
	err = m.store.Work(ctx, project, func(w *behaviour.Work) error {
		key := func(id string) behaviour.PersonKey { return behaviour.PersonKey{Kind: behaviour.User, Key: id} }
		if merged.At, err = w.Merge(ctx, merged.ID, key(from), key(into)); err != nil {
			return err
		}
		return audit.Record(ctx, w.Tx(), audit.Entry{ProjectID: project, Action: audit.PersonMerge, Target: merged.ID.String()})
	})
	return merged, err
}

// Undo takes a merge back; problem.NotFound when the project has none of this id.
func (m *Merges) Undo(ctx context.Context, project, id uuid.UUID) error {
	return m.store.Work(ctx, project, func(w *behaviour.Work) error {
		there, err := w.Unmerge(ctx, id)
		switch {
		case err != nil:
			return err
		case !there:
			return problem.NotFound()
		}
		return audit.Record(ctx, w.Tx(), audit.Entry{ProjectID: project, Action: audit.PersonUnmerge, Target: id.String()})
	})
}

// mergeID is made of the two, so that a merge that is sent again is the same.
func mergeID(project uuid.UUID, from, into string) uuid.UUID {
	b := append([]byte("nimbus.merge\x00"), project[:]...)
	for _, id := range []string{from, into} {
		b = append(b, byte(len(id)>>8), byte(len(id)))
		b = append(b, id...)
	}
	sum := sha256.Sum256(b)
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8
	return id
}
