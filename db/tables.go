package db

// Tables are those of the newest schema, by name. A backup holds these and nothing else: the schema may have tables of
// other programs.
var Tables = []string{
	"account_identities", "accounts", "api_keys", "audit_log", "board_tiles", "boards", "event_counts", "event_keys", "events",
	"idempotency_keys", "job_turns", "project_limits", "project_members", "project_sizes", "project_usage", "projects", "refresh_tokens",
	"reports", "sessions", "write_keys",
}
