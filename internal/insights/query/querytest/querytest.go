// Package querytest has the zones that calendars are tried in.
package querytest

import (
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Zones has every kind of clock there has been since 1971: whole, half and quarter hours, changes at midnight, just
// after midnight, of half an hour, of a whole day, negative summer time, and none at all.
var Zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Moscow", "Europe/Istanbul",
	"Europe/Chisinau", "Atlantic/Azores", "Atlantic/Reykjavik", "America/New_York", "America/Los_Angeles",
	"America/St_Johns", "America/Goose_Bay", "America/Moncton", "America/Sao_Paulo", "America/Havana",
	"America/Asuncion", "America/Santiago", "America/Caracas", "America/Scoresbysund", "America/Nuuk",
	"America/Argentina/San_Luis", "America/Anchorage", "America/Metlakatla", "Asia/Kathmandu", "Asia/Kolkata",
	"Asia/Tehran", "Asia/Beirut", "Asia/Amman", "Asia/Damascus", "Asia/Gaza", "Asia/Pyongyang", "Asia/Tokyo",
	"Asia/Dhaka", "Asia/Almaty", "Australia/Lord_Howe", "Australia/Eucla", "Australia/Adelaide", "Australia/Sydney",
	"Pacific/Apia", "Pacific/Fakaofo", "Pacific/Kwajalein", "Pacific/Kiritimati", "Pacific/Chatham",
	"Pacific/Auckland", "Pacific/Norfolk", "Pacific/Marquesas", "Africa/Casablanca", "Africa/Cairo",
	"Africa/Monrovia", "Africa/Windhoek", "Africa/Juba", "Antarctica/Troll", "Antarctica/Casey", "Antarctica/Vostok",
}

// Load loads a zone.
func Load(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, ok := query.Zone(name)
	if !ok {
		t.Fatalf("zone %s", name)
	}
	return loc
}

// The years that questions can be about.
var (
	Earliest = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)
	Latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Changes returns up to 2101 when the clock of a zone was put forward or back, to the half day before, with the dates
// that today's rules give for the future.
func Changes(loc *time.Location) (all []int64) {
	const step = 43_200
	before := offset(Earliest.Unix(), loc)
	for sec := Earliest.Unix(); sec < 4_133_980_800; sec += step {
		if after := offset(sec, loc); after != before {
			all = append(all, sec-step)
			before = after
		}
	}
	return all
}

func offset(sec int64, loc *time.Location) int {
	_, offset := time.Unix(sec, 0).In(loc).Zone()
	return offset
}
