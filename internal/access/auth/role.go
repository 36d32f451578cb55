package auth

import (
	"slices"

	"github.com/bahagh/nimbus/internal/contract"
)

// Role is what an account may do in a project: the x-role of operations.
type Role string

// The roles, from the least.
const (
	RoleViewer Role = "viewer"
	RoleAdmin  Role = "admin"
	RoleOwner  Role = "owner"
)

var ranks = []Role{RoleViewer, RoleAdmin, RoleOwner}

// AtLeast reports whether a member with this role may do what needs the other. A role that is not known may do nothing,
// and nobody may do what needs one.
func (r Role) AtLeast(needed Role) bool {
	have, want := slices.Index(ranks, r), slices.Index(ranks, needed)
	return want >= 0 && have >= want
}

// KeyScopes returns the scopes that keys can have, each with the role that an account needs to do the same itself: the
// greatest of the operations that a key with this scope may call. The maker of a key may not give it more than he has.
func KeyScopes(operations map[string]*contract.Operation) map[string]Role {
	out := make(map[string]Role)
	for _, op := range operations {
		if role := Role(op.Role); op.TakesKeys() && !out[op.Scope].AtLeast(role) {
			out[op.Scope] = role
		}
	}
	return out
}
