package people

import "strings"

// junk are ids that a program sends when it has none, in lower case: as one person they would be everybody.
var junk = func() map[string]bool {
	ids := map[string]bool{}
	for _, id := range []string{
		"", "null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "nan", "na", "n/a", "unknown",
		"not set", "(not set)",
		"anon", "anonymous", "guest", "user", "system", "backend", "not_authenticated", "unidentified",
		"id", "user_id", "userid", "anonymous_id", "distinct_id", "distinctid", "email",
		"0", "-1", "true", "false", "[]", "{}", "[object object]",
		"00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000",
	} {
		ids[id] = true
	}
	return ids
}()

// Junk says whether an id names nobody, whatever its case and the space around it.
func Junk(id string) bool {
	const longest = 36
	id = strings.TrimSpace(id)
	return len(id) <= longest && junk[strings.ToLower(id)]
}
