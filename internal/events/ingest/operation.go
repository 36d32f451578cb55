package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
)

// Operation is a change of a profile as it was sent, already checked against the contract of its source. It is about the group
// when Group has a type, else about a person: UserID, AnonymousID, or both, which are one person then.
type Operation struct {
	Position       int // in what was sent: with Seed, part of the id of an operation without a key
	Op             events.ProfileOp
	UserID         string
	AnonymousID    string
	Group          Group
	TS             time.Time // zero when it was not given
	IdempotencyKey string
	Props          []byte   // a JSON object; nil when there are none
	Names          []string // of unset
}

// Group names a group of people.
type Group struct{ Type, Key string }

// OperationResult is the outcome of one operation, with every reason when it was refused.
type OperationResult struct {
	Outcome  Outcome
	Refusals []*Refusal // of a refused operation, else nil
}

// OperationRow is one operation on its way to the database.
type OperationRow struct {
	ProjectID   uuid.UUID
	ID          uuid.UUID
	TS          time.Time
	ReceivedAt  time.Time
	Position    int
	Of          events.Subject
	AnonymousID string // that came with a user id
	Op          events.ProfileOp
	Props       []byte
	Names       []string
	index       int // of its result
	outcome     Outcome
}

// The codes of refused operations.
const (
	codeRequired = "required"
	codeConflict = "conflict"
	codeType     = "type"
	codeEnum     = "enum"
	codeNobody   = "nobody"
)

// subject is who or what an operation is about, and the anonymous id that it links. Ids that name nobody count as absent.
func (o *Operation) subject() (of events.Subject, anonymous string) {
	user, anonymous := o.UserID, o.AnonymousID
	if events.Junk(user) {
		user = ""
	}
	if events.Junk(anonymous) {
		anonymous = ""
	}
	switch {
	case o.Group.Type != "":
		return events.Subject{Kind: events.Group, GroupType: o.Group.Type, Key: o.Group.Key}, ""
	case user != "":
		return events.Subject{Kind: events.User, Key: user}, anonymous
	default:
		return events.Subject{Kind: events.Anonymous, Key: anonymous}, ""
	}
}

// check returns why the operation is refused; nothing when it is not.
func (o *Operation) check() (refusals []*Refusal) {
	refuse := func(field, code, detail string) {
		refusals = append(refusals, &Refusal{Field: field, Code: code, Detail: detail})
	}
	o.checkSubject(refuse)
	values := false
	switch o.Op {
	case events.ProfileUnset:
		if len(o.Names) == 0 {
			refuse("names", codeRequired, "is required with unset: the properties that go")
		}
	case events.ProfileDelete:
	case events.ProfileSet, events.ProfileSetOnce, events.ProfileAdd, events.ProfileAppend, events.ProfileUnion, events.ProfileRemove:
		values = true
		if o.Props == nil {
			refuse("props", codeRequired, "is required with "+string(o.Op))
		}
		if o.Op == events.ProfileAdd && !numbers(o.Props) {
			refuse("props", codeType, "must be numbers with add")
		}
	default:
		refuse("op", codeEnum, "is no operation on a profile")
	}
	if !values && o.Props != nil {
		refuse("props", codeConflict, "is not allowed with "+string(o.Op))
	}
	if o.Op != events.ProfileUnset && len(o.Names) > 0 {
		refuse("names", codeConflict, "is only allowed with unset")
	}
	return refusals
}

func (o *Operation) checkSubject(refuse func(field, code, detail string)) {
	const junk = "is what clients send when they have no id, so it names nobody"
	group := o.Group != Group{}
	switch {
	case group && o.UserID+o.AnonymousID != "":
		refuse("group", codeConflict, "cannot be combined with user_id or anonymous_id: an operation is about a person or a group")
	case group && events.Junk(o.Group.Type):
		refuse("group/type", codeNobody, junk)
	case group && events.Junk(o.Group.Key):
		refuse("group/key", codeNobody, junk)
	case group:
	case o.UserID+o.AnonymousID == "":
		refuse("", codeRequired, "needs a user_id, an anonymous_id or a group")
	case events.Junk(o.UserID) && events.Junk(o.AnonymousID):
		if o.UserID != "" {
			refuse("user_id", codeNobody, junk)
		}
		if o.AnonymousID != "" {
			refuse("anonymous_id", codeNobody, junk)
		}
	}
}

// numbers says whether every member of a JSON object is a number.
func numbers(props []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(props, &members) != nil {
		return props == nil // required is said by itself
	}
	for _, v := range members {
		if v[0] != '-' && (v[0] < '0' || v[0] > '9') {
			return false
		}
	}
	return true
}

// operationVersion is hashed into the ids of operations, as identityVersion is into those of events.
const operationVersion = 1

// operationID identifies an operation when it is sent again. With an idempotency key the time is no part of it: it differs when
// the operation came without one, and when a wrong clock was corrected.
func operationID(r *Request, o *Operation, of events.Subject) uuid.UUID {
	if o.IdempotencyKey == "" && r.Seed == "" {
		return uuid.New()
	}
	b := make([]byte, 0, 512)
	b = append(b, operationVersion)
	b = append(b, r.ProjectID[:]...)
	b = appendPart(b, partNone, string(o.Op))
	b = appendPart(b, byte(of.Kind), of.GroupType)
	b = appendPart(b, byte(of.Kind), of.Key)
	if o.IdempotencyKey != "" {
		b = appendPart(b, partKey, o.IdempotencyKey)
	} else {
		b = appendPart(b, partSeed, r.Seed)
		b = binary.BigEndian.AppendUint32(b, uint32(o.Position))
	}
	sum := sha256.Sum256(b)
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8
	return id
}

// addOperation adds operation k of the request to the batch, or returns why it is refused.
func (b *batch) addOperation(r *Request, k int, now time.Time) []*Refusal {
	o := &r.Operations[k]
	ts := timestamp(o.TS, r, now)
	refusals := o.check()
	if refusal := checkTS(ts, now); refusal != nil {
		refusals = append(refusals, refusal)
	}
	if len(refusals) > 0 {
		return refusals
	}
	props := o.Props
	if props == nil {
		props = emptyProps
	}
	of, anonymous := o.subject()
	b.operations = append(b.operations, OperationRow{
		ProjectID: r.ProjectID, ID: operationID(r, o, of), TS: ts, ReceivedAt: now.UTC().Truncate(time.Microsecond), Position: o.Position,
		Of: of, AnonymousID: anonymous, Op: o.Op, Props: props, Names: o.Names, index: k,
	})
	b.bytes += operationBytes(&b.operations[len(b.operations)-1])
	return nil
}

func operationBytes(o *OperationRow) int {
	bytes := len(o.Of.GroupType) + len(o.Of.Key) + len(o.AnonymousID) + len(o.Props) + rowBytes
	for _, name := range o.Names {
		bytes += len(name)
	}
	return bytes
}
