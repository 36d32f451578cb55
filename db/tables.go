package db

import "slices"

// Tables are those of the newest schema, by name. The schema may hold tables of other programs besides.
var Tables = []string{
	"account_identities", "accounts", "annotations", "api_keys", "arrival_cursors", "arrivals", "audit_log", "boards",
	"catalogue", "cohort_people", "cohorts", "custom_events", "erasures", "event_counts", "event_keys", "event_part_columns", "event_part_days",
	"event_parts", "events", "idempotency_keys", "insights", "invitations", "job_turns", "password_resets", "person_links",
	"person_merges", "person_numbers", "persons", "profile_operations", "profile_pending", "profiles", "project_limits", "project_members", "project_sizes", "project_usage", "projects", "quarantine",
	"refresh_tokens", "sessions", "tiles", "write_keys",
}

// derived are the tables that are made anew from the others, or that mean something in their own cluster only: the ids of
// transactions and snapshots are numbers of one cluster, and another would wait for those that never come.
var derived = []string{"arrival_cursors", "arrivals", "catalogue", "event_part_columns", "event_part_days", "event_parts"}

// BackedUp are the tables that a backup holds.
func BackedUp() []string {
	return slices.DeleteFunc(slices.Clone(Tables), func(t string) bool { return slices.Contains(derived, t) })
}
