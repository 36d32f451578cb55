package events

import (
	"slices"
	"strings"
)

// junk are ids that many people have: what a client sends when it has none. In lower case.
var junk = []string{
	"", "null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "nan", "na", "n/a", "unknown", "not set", "(not set)",
	"anon", "anonymous", "guest", "user", "system", "backend", "not_authenticated", "unidentified",
	"id", "user_id", "userid", "anonymous_id", "distinct_id", "distinctid", "email",
	"0", "-1", "true", "false", "[]", "{}", "[object object]",
	"00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000",
}

// Junk says that an id counts as absent.
func Junk(id string) bool { return slices.Contains(junk, strings.ToLower(strings.TrimSpace(id))) }
