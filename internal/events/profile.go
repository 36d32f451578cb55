package events

// ProfileOp is what an operation does to a profile.
type ProfileOp string

// The operations.
const (
	ProfileSet     ProfileOp = "set"      // the value becomes this
	ProfileSetOnce ProfileOp = "set_once" // the value becomes this unless there is one
	ProfileAdd     ProfileOp = "add"      // the number grows by this; from 0 when there is none
	ProfileAppend  ProfileOp = "append"   // the list gets this at its end; a new list when there is none
	ProfileUnion   ProfileOp = "union"    // the list gets those of these that it has not
	ProfileRemove  ProfileOp = "remove"   // the list loses this, or all of these, wherever they are in it
	ProfileUnset   ProfileOp = "unset"    // the value goes
	ProfileDelete  ProfileOp = "delete"   // all of the profile goes
)

// SubjectKind says what a profile is of. The values are those of profile_operations.kind, and of persons.kind for people.
type SubjectKind int16

// The kinds.
const (
	User      SubjectKind = 1 // key is a user id
	Anonymous SubjectKind = 2 // key is an anonymous id
	Group     SubjectKind = 3 // key is one of a type of groups
)

// Subject is who or what a profile is of.
type Subject struct {
	Kind      SubjectKind
	GroupType string // of a group, else empty
	Key       string
}
