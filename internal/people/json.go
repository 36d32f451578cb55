package people

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// ParseObject reads the values of an operation or a profile from a JSON object.
func ParseObject(text []byte) (Profile, error) {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return nil, fmt.Errorf("read a profile: %w", err)
	}
	p := make(Profile, len(members))
	for name, v := range members {
		p[name] = valueOf(v)
	}
	return p, nil
}

func valueOf(v any) Value {
	switch v := v.(type) {
	case json.Number:
		return Number(v)
	case []any:
		list := make([]Value, len(v))
		for i := range v {
			list[i] = valueOf(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]Value, len(v))
		for name := range v {
			object[name] = valueOf(v[name])
		}
		return object
	default:
		return v
	}
}

// MarshalJSON writes the number as it is.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// JSON is the profile as an object.
func (p Profile) JSON() (json.RawMessage, error) {
	if p == nil {
		return json.RawMessage("{}"), nil
	}
	text, err := json.Marshal(map[string]Value(p))
	if err != nil {
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	return text, nil
}

// madeOf is the profile that stored operations make from nothing, and whether there is one. They are in the order in which they apply.
func madeOf(stored []behaviour.Operation) (p Profile, exists bool, err error) {
	operations, err := operationsOf(stored)
	if err != nil {
		return nil, false, err
	}
	p, exists = Profile{}.with(false, operations)
	return p, exists, nil
}

// operationsOf are stored operations as profiles are made of.
func operationsOf(stored []behaviour.Operation) ([]Operation, error) {
	all := make([]Operation, len(stored))
	for i := range stored {
		o := &stored[i]
		props, err := ParseObject(o.Props)
		if err != nil {
			return nil, err
		}
		all[i] = Operation{Op: o.Op, TS: o.TS.UnixMicro(), Received: o.ReceivedAt.UnixMicro(), Props: props, Names: o.Names}
	}
	return all, nil
}
