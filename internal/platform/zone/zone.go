// Package zone loads time zones by the names of the IANA database: from the machine, or from the binary where the machine has
// none.
package zone

import (
	"path"
	"strings"
	"time"
	_ "time/tzdata" // zones must mean the same on a machine that has none installed
)

// Code is that of a field whose value is no time zone, and Advice says what one is.
const (
	Code   = "time_zone"
	Advice = "is not a time zone: give the name of one in the IANA database, such as Europe/Berlin"
)

// Load loads a zone of the IANA database. The machine's own zone, by whatever name, is none: it would mean something
// else on each node. Zones that count leap seconds disagree with every timestamp we have.
func Load(name string) (*time.Location, bool) {
	switch name {
	case "", "Local", "localtime", "posixrules":
		return nil, false
	}
	if strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") || path.Clean(name) != name {
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	return loc, err == nil
}
