package api_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/api"
)

// members are the JSON members of a struct.
func members(v any) []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// The tracker's types are written by hand, so that it needs nothing of the generated client. They have what the
// contract has.
func TestTheTrackersTypesHaveTheMembersOfTheContract(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tracker, contract any
		less              []string // what the tracker reads elsewhere
	}{
		"Event":      {nimbus.Event{}, api.Event{}, nil},
		"FieldError": {nimbus.FieldError{}, api.FieldError{}, nil},
		"Problem":    {nimbus.APIError{}, api.Problem{}, []string{"accepted", "duplicates", "rejected"}},
	} {
		want := slices.DeleteFunc(members(c.contract), func(m string) bool { return slices.Contains(c.less, m) })
		if got := members(c.tracker); !slices.Equal(got, want) {
			t.Errorf("%s has the members %v, in the contract %v", name, got, want)
		}
	}
	for _, member := range members(api.EventError{}) { // which is read as a FieldError
		if !slices.Contains(members(nimbus.FieldError{}), member) {
			t.Errorf("FieldError has no %s", member)
		}
	}
}
