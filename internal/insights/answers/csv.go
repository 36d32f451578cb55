package answers

import (
	"encoding/csv"
	"fmt"
	"io"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// peopleCSV writes people as CSV, one a line: the columns user_id and anonymous_id, one of which is empty, and others.
type peopleCSV struct {
	*csv.Writer
	groups bool // groups are written instead, by group_key
}

func newGroupsCSV(to io.Writer, others ...string) peopleCSV {
	out := peopleCSV{csv.NewWriter(to), true}
	_ = out.Write(append([]string{"group_key"}, others...))
	return out
}

func newPeopleCSV(to io.Writer, others ...string) peopleCSV {
	out := peopleCSV{csv.NewWriter(to), false}
	_ = out.Write(append([]string{"user_id", "anonymous_id"}, others...)) // the writer keeps its error for flush
	return out
}

func (c peopleCSV) write(k behaviour.PersonKey, others ...string) error {
	ids := []string{k.Key, ""}
	switch {
	case c.groups:
		ids = []string{k.Key}
	case k.Kind == behaviour.Anonymous:
		ids = []string{"", k.Key}
	}
	if err := c.Write(append(ids, others...)); err != nil {
		return fmt.Errorf("write people: %w", err)
	}
	return nil
}

func (c peopleCSV) flush() error {
	c.Flush()
	return c.Error()
}
