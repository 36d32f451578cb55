package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/auth"
)

// Action names what was done. The names are part of the API: never rename one.
type Action string

// The actions.
const (
	AccountRegister Action = "account.register"
	AccountCreate   Action = "account.create"
	AccountUpdate   Action = "account.update"
	AccountDelete   Action = "account.delete"
	Login           Action = "account.login"
	Logout          Action = "account.logout"
	PasswordChange  Action = "account.password"
	ResetLink       Action = "account.reset_link"
	PasswordReset   Action = "account.reset"
	IdentityLink    Action = "account.link"
	SessionRevoke   Action = "session.revoke"
	SessionReuse    Action = "session.reuse"

	ProjectCreate    Action = "project.create"
	ProjectUpdate    Action = "project.update"
	ProjectDelete    Action = "project.delete"
	InvitationCreate Action = "invitation.create"
	InvitationRevoke Action = "invitation.revoke"
	MemberAdd        Action = "member.add"
	MemberUpdate     Action = "member.update"
	MemberRemove     Action = "member.remove"
	KeyCreate        Action = "key.create"
	KeyUpdate        Action = "key.update"
	KeyRevoke        Action = "key.revoke"
	KeyRotate        Action = "key.rotate"
	WriteKeyCreate   Action = "write_key.create"
	WriteKeyUpdate   Action = "write_key.update"
	WriteKeyDelete   Action = "write_key.delete"
	CohortCreate     Action = "cohort.create"
	CohortUpdate     Action = "cohort.update"
	CohortPeople     Action = "cohort.people"
	CohortDelete     Action = "cohort.delete"
	InsightCreate    Action = "insight.create"
	InsightUpdate    Action = "insight.update"
	InsightDelete    Action = "insight.delete"
	BoardCreate      Action = "board.create"
	BoardUpdate      Action = "board.update"
	BoardDelete      Action = "board.delete"

	AnnotationCreate  Action = "annotation.create"
	AnnotationUpdate  Action = "annotation.update"
	AnnotationDelete  Action = "annotation.delete"
	CustomEventCreate Action = "custom_event.create"
	CustomEventUpdate Action = "custom_event.update"
	CustomEventDelete Action = "custom_event.delete"

	PersonMerge   Action = "person.merge"
	PersonUnmerge Action = "person.unmerge"
	PersonErase   Action = "person.erase"
)

// Entry is one thing that was done.
type Entry struct {
	ProjectID uuid.UUID // zero when it concerns an account and no project
	Action    Action
	Target    string    // the id of what it was done to
	Changes   Changes   // may be nil
	Account   uuid.UUID // who did it, where the request does not say: at a login
	System    bool      // nobody asked for it
}

// Changes are the fields that changed, by their name in the API.
type Changes map[string]Change

// Change is a field before and after, as JSON has it; nil is what it had not.
type Change struct {
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
}

// Diff adds a field to the changes if it is another one after than before.
func (c Changes) Diff(field string, before, after any) {
	before, after = given(before), given(after)
	if !reflect.DeepEqual(before, after) {
		c[field] = Change{Old: before, New: after}
	}
}

// given is nil for a pointer to nothing, and else what is pointed to.
func given(v any) any {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return nil
		}
		return r.Elem().Interface()
	}
	return v
}

// The kinds of actors.
const (
	actorAccount = "account"
	actorKey     = "key"
	actorSystem  = "system"
)

// Record writes an entry in the transaction of the change. Who did it, and from where, is what ctx says of its request;
// outside of a request it was the system.
func Record(ctx context.Context, tx pgx.Tx, e Entry) error {
	kind, actor := actorSystem, ""
	if p, ok := auth.Caller(ctx); e.Account != uuid.Nil {
		kind, actor = actorAccount, e.Account.String()
	} else if ok && !e.System {
		switch p.Kind {
		case auth.KindAccount, auth.KindRefresh:
			kind, actor = actorAccount, p.AccountID.String()
		case auth.KindAPIKey, auth.KindWriteKey:
			kind, actor = actorKey, p.KeyID
		}
	}
	changes := []byte("{}")
	if len(e.Changes) > 0 {
		var err error
		if changes, err = json.Marshal(e.Changes); err != nil {
			return fmt.Errorf("encode the changes of %s: %w", e.Action, err)
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make the id of an audit entry: %w", err)
	}
	return write(ctx, tx, id, kind, actor, e, changes)
}
