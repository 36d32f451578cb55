package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Fault is something about a database that only its operator can change, and without which Nimbus does not work.
type Fault struct {
	Says string // what it is
	Do   string // the GRANT or the setting that mends it
	// Writing says that it keeps Nimbus from writing only: a backup can be made all the same.
	Writing bool
}

// UnfitError says why a database that answers cannot be used.
type UnfitError struct{ Faults []Fault }

func (e *UnfitError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Says + ": " + f.Do
	}
	return "the database cannot be used: " + strings.Join(lines, "; ")
}

// role is what the session may do, and where.
type role struct {
	user, database, encoding, path string
	schema                         *string // the one that tables are made in
	create, readOnly, standby      bool
	readOnlyFrom, replication      string
	foreign                        []string // tables of ours that belong to another role
}

const askRole = `SELECT current_user, current_database(), current_setting('server_encoding'), current_setting('search_path'), current_schema(),
	coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), pg_is_in_recovery(),
	current_setting('default_transaction_read_only') = 'on', (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only'),
	current_setting('session_replication_role'),
	(SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{}') FROM unnest($1::text[]) AS t(name)
		JOIN pg_class c ON c.oid = to_regclass(t.name) WHERE NOT pg_has_role(c.relowner, 'USAGE'))`

// Examine looks for what makes a database unfit. tables are those that Nimbus must own. A standby is no fault: it may be
// promoted, and until then it answers questions.
func Examine(ctx context.Context, pool *pgxpool.Pool, tables []string) ([]Fault, error) {
	pooled, err := transactionPooled(ctx, pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if pooled { // nothing else can be asked reliably
		return []Fault{{Says: "a pooler in transaction mode stands before it, such as PgBouncer with pool_mode = transaction, and gives each transaction another session",
			Do: "set pool_mode = session for it, or name PostgreSQL itself in NIMBUS_DATABASE_URL"}}, nil
	}
	r, err := readRole(ctx, pool, tables)
	if err != nil {
		return nil, err
	}
	return r.faults(), nil
}

func readRole(ctx context.Context, pool *pgxpool.Pool, tables []string) (r role, err error) {
	err = pool.QueryRow(ctx, askRole, tables).Scan(&r.user, &r.database, &r.encoding, &r.path, &r.schema, &r.create, &r.standby,
		&r.readOnly, &r.readOnlyFrom, &r.replication, &r.foreign)
	if err != nil {
		return role{}, fmt.Errorf("ask what the role may do: %w", err)
	}
	return r, nil
}

func (r *role) faults() []Fault {
	var out []Fault
	user, database := pgx.Identifier{r.user}.Sanitize(), pgx.Identifier{r.database}.Sanitize()
	if r.encoding != "UTF8" {
		out = append(out, Fault{Says: "its encoding is " + r.encoding + ", which cannot hold every text that is sent",
			Do: "make another: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"})
	}
	switch {
	case r.schema == nil:
		out = append(out, Fault{Writing: true, Says: fmt.Sprintf("search_path (%s) names no schema that is there and that role %s may use", r.path, r.user),
			Do: "CREATE SCHEMA nimbus AUTHORIZATION " + user + ", or name another in search_path"})
	case !r.create && !r.standby:
		out = append(out, Fault{Writing: true, Says: fmt.Sprintf("role %s may not make tables in schema %s", r.user, *r.schema),
			Do: "as its owner: GRANT USAGE, CREATE ON SCHEMA " + pgx.Identifier{*r.schema}.Sanitize() + " TO " + user})
	}
	if r.readOnly && !r.standby {
		out = append(out, Fault{Writing: true, Says: "default_transaction_read_only is on", Do: readOnlyWay(r.readOnlyFrom, user, database)})
	}
	if r.replication != "origin" {
		out = append(out, Fault{Writing: true, Says: "session_replication_role is " + r.replication + ", so no trigger runs",
			Do: "ALTER ROLE " + user + " RESET session_replication_role"})
	}
	if len(r.foreign) > 0 && !r.standby {
		out = append(out, Fault{Writing: true, Says: fmt.Sprintf("tables do not belong to role %s: %s", r.user, strings.Join(r.foreign, ", ")),
			Do: "as their owner, for each: ALTER TABLE … OWNER TO " + user})
	}
	return out
}

// readOnlyWay is how to undo the setting where it was made. It is not overridden: providers set it when the disk is full.
func readOnlyWay(from, user, database string) string {
	switch from {
	case "user":
		return "ALTER ROLE " + user + " RESET default_transaction_read_only"
	case "database":
		return "ALTER DATABASE " + database + " RESET default_transaction_read_only"
	case "database user":
		return "ALTER ROLE " + user + " IN DATABASE " + database + " RESET default_transaction_read_only"
	case "client":
		return "take it out of NIMBUS_DATABASE_URL"
	}
	return "set it to off in postgresql.conf and reload"
}

// transactionPooled says whether connections share sessions: whether a pooler gives a session away at the end of a
// transaction. Two connections that are open at once then meet in one, or one of them moves to another.
func transactionPooled(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	one, err := pgconn.ConnectConfig(ctx, &cfg.Config)
	if err != nil {
		return false, err
	}
	defer one.Close(context.WithoutCancel(ctx))
	session, err := backend(ctx, one, "")
	if err != nil {
		return false, err
	}
	if session == fmt.Sprint(one.PID()) {
		return false, nil // PostgreSQL itself; a pooler makes up numbers of its own
	}
	// A pooler whose only session is held waits with the next connection, or with the next question.
	hurried, cancel := context.WithTimeout(ctx, poolerTime)
	defer cancel()
	other, err := pgconn.ConnectConfig(hurried, &cfg.Config)
	if err != nil {
		return false, ctx.Err() // its one session is held by the first connection, as sessions should be
	}
	defer other.Close(context.WithoutCancel(ctx))
	held, err := backend(hurried, other, "BEGIN; ")
	if err != nil {
		return false, ctx.Err()
	}
	again, err := backend(hurried, one, "")
	return held == session || err != nil || again != session, ctx.Err()
}

// backend is the process that the connection talks to now.
func backend(ctx context.Context, conn *pgconn.PgConn, before string) (string, error) {
	results, err := conn.Exec(ctx, before+"SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return "", fmt.Errorf("ask for the session: %w", err)
	}
	return string(results[len(results)-1].Rows[0][0]), nil
}
