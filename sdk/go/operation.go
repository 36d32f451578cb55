package nimbus

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Operation changes what is known of a person or of a group: their profile. It names a person by UserID, by AnonymousID or by
// both, which says that they are one person; or it names a Group. A profile is what all operations on it make in the order of
// their TS, whenever they arrive.
type Operation struct {
	Op             Op              `json:"op"`
	UserID         string          `json:"user_id,omitempty"`         // who it is about, once known
	AnonymousID    string          `json:"anonymous_id,omitempty"`    // who it is about, before it is known
	Group          Group           `json:"group,omitzero"`            // what it is about instead
	TS             time.Time       `json:"ts,omitzero"`               // when it became true; the rules are those of an event's
	IdempotencyKey string          `json:"idempotency_key,omitempty"` // stored once by it, Op and who or what it is about
	Props          json.RawMessage `json:"props,omitempty"`           // a JSON object, as those of an event; not of OpUnset and OpDelete
	Names          []string        `json:"names,omitempty"`           // of OpUnset: the properties that go, 1 to 100
}

// Group names a group of people, such as a company.
type Group struct {
	Type string `json:"type"` // what kind of group it is, 1 to 64 characters
	Key  string `json:"key"`  // which one of its kind
}

// Op is what happens to a profile.
type Op string

// The operations.
const (
	OpSet     Op = "set"      // make it the value
	OpSetOnce Op = "set_once" // make it the value where there is none
	OpAdd     Op = "add"      // add a number, to 0 where there is none
	OpAppend  Op = "append"   // put it at the end of a list
	OpUnion   Op = "union"    // add to a list what it does not have
	OpRemove  Op = "remove"   // take out of a list what is equal
	OpUnset   Op = "unset"    // take properties away
	OpDelete  Op = "delete"   // take the profile away; events stay
)

// operationHead begins an operation wherever it is kept: it tells it from an event, which begins with its name.
const operationHead = `{"op":`

const (
	maxType  = 64
	maxNames = 100
)

// junk are ids that many people have: what programs write when there is none. The server has the same list, and
// testvectors/junk.json holds both to it.
var junk = []string{
	"", "null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "nan", "na", "n/a", "unknown", "not set", "(not set)",
	"anon", "anonymous", "guest", "user", "system", "backend", "not_authenticated", "unidentified",
	"id", "user_id", "userid", "anonymous_id", "distinct_id", "distinctid", "email",
	"0", "-1", "true", "false", "[]", "{}", "[object object]",
	"00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000",
}

const junkDetail = "is what programs send when they have no id, so it names nobody"

func namesNobody(pointer string) error {
	return &RejectedError{Fields: []FieldError{{Pointer: pointer, Code: "nobody", Detail: junkDetail}}}
}

// nobody reports whether an id is none.
func nobody(id string) bool { return slices.Contains(junk, strings.ToLower(strings.TrimSpace(id))) }

// appendOperation appends the operation as the server reads it, with props in place of o.Props when they are not nil, and
// names whatever the server would surely refuse.
func appendOperation(dst []byte, o *Operation, props any) ([]byte, error) {
	var bad refusal
	checkSubject(&bad, o)
	dst = append(dst, operationHead...)
	dst = appendString(dst, string(o.Op))
	dst = appendTS(append(dst, `,"ts":`...), &bad, o.TS)
	dst = appendIDs(dst, &bad, o.UserID, o.AnonymousID, o.IdempotencyKey)
	if o.Group != (Group{}) {
		dst = append(dst, `,"group":{"type":`...)
		dst = append(appendString(dst, o.Group.Type), `,"key":`...)
		dst = append(appendString(dst, o.Group.Key), '}')
	}
	if props == nil && len(o.Props) > 0 {
		props = o.Props
	}
	before := len(dst)
	dst = appendProps(dst, &bad, props)
	checkOp(&bad, o, dst[before:])
	for k, name := range o.Names {
		if k == 0 {
			dst = append(dst, `,"names":[`...)
		} else {
			dst = append(dst, ',')
		}
		checkText(&bad, "/names", name, false)
		dst = appendString(dst, name)
	}
	if len(o.Names) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}'), bad.err()
}

// checkSubject holds an operation to naming somebody, or a group.
func checkSubject(bad *refusal, o *Operation) {
	switch {
	case o.Group != Group{} && o.UserID+o.AnonymousID != "":
		bad.add("/group", "conflict", "cannot be combined with user_id or anonymous_id: an operation is about a person or a group")
	case o.Group != Group{}:
		checkLength(bad, "/group/type", o.Group.Type, maxType)
		checkText(bad, "/group/key", o.Group.Key, false)
		if o.Group.Type != "" && nobody(o.Group.Type) {
			bad.add("/group/type", "nobody", junkDetail)
		} else if o.Group.Key != "" && nobody(o.Group.Key) {
			bad.add("/group/key", "nobody", junkDetail)
		}
	case o.UserID+o.AnonymousID == "":
		bad.add("", "required", "needs a user_id, an anonymous_id or a group")
	case nobody(o.UserID) && nobody(o.AnonymousID):
		if o.UserID != "" {
			bad.add("/user_id", "nobody", junkDetail)
		}
		if o.AnonymousID != "" {
			bad.add("/anonymous_id", "nobody", junkDetail)
		}
	}
}

// checkOp holds an operation, whose encoded props these are, to what it needs and may have.
func checkOp(bad *refusal, o *Operation, props []byte) {
	values := false
	switch o.Op {
	case OpUnset:
		if len(o.Names) == 0 {
			bad.add("/names", "required", "is required with unset: the properties that go")
		} else if len(o.Names) > maxNames {
			bad.add("/names", "max_items", "must have at most 100 items")
		}
	case OpDelete:
	case OpSet, OpSetOnce, OpAdd, OpAppend, OpUnion, OpRemove:
		values = true
		if len(props) == 0 {
			bad.add("/props", "required", "is required with "+string(o.Op))
		} else if o.Op == OpAdd && !numbers(props[len(`,"props":`):]) {
			bad.add("/props", "type", "must be numbers with add")
		}
	default:
		bad.add("/op", "enum", "is no operation on a profile")
		return
	}
	if !values && len(props) > 0 {
		bad.add("/props", "conflict", "is not allowed with "+string(o.Op))
	}
	if o.Op != OpUnset && len(o.Names) > 0 {
		bad.add("/names", "conflict", "is only allowed with unset")
	}
}

// numbers reports whether every member of a JSON object is a number.
func numbers(props []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(props, &members) != nil {
		return true // no object, which is said by itself
	}
	for _, v := range members {
		if v[0] != '-' && (v[0] < '0' || v[0] > '9') {
			return false
		}
	}
	return true
}
