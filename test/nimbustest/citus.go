package nimbustest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Citus distributes the tables of one database over databases of the same name on its workers, and each database has
// its own list of workers. So a test's database exists on every node, copied there from the node's own part of the
// template: the copies belong together as the originals do.

// node is one of Citus's, by the address that the others have of it.
type node struct {
	host  string
	port  int
	group int // 0: the coordinator
}

// worker is a node that the coordinator hands tables to.
type worker struct {
	node
	admin *pgxpool.Pool
	url   func(db string) string
}

// findNodes reads the coordinator and the workers from the database of the connection string.
func (s *sharedServer) findNodes(ctx context.Context, coordinator string) error {
	conn, err := pgx.Connect(ctx, coordinator)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "SELECT nodename, nodeport, groupid FROM pg_dist_node WHERE isactive AND noderole = 'primary' ORDER BY groupid")
	if err != nil {
		return err
	}
	nodes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n node, err error) {
		err = row.Scan(&n.host, &n.port, &n.group)
		return n, err
	})
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	if len(nodes) < 2 || nodes[0].group != 0 {
		return errors.New("its database needs a coordinator and workers: see citus_set_coordinator_host and citus_add_node")
	}
	s.coordinator = nodes[0]
	for _, n := range nodes[1:] {
		w := worker{node: n, url: func(db string) string { return withHost(withDatabase(coordinator, db), n) }}
		if w.admin, err = postgres.Open(ctx, w.url("postgres"), 4, postgres.WithApplicationName("nimbustest")); err != nil {
			return err
		}
		s.workers = append(s.workers, w)
	}
	return nil
}

// registerWorkers makes a coordinator with workers of a database that is there on all of them.
func (s *sharedServer) registerWorkers(ctx context.Context, pool *pgxpool.Pool) error {
	for _, w := range s.workers {
		conn, err := pgx.Connect(ctx, w.url(pool.Config().ConnConfig.Database))
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE EXTENSION citus")
		conn.Close(ctx)
		if err != nil {
			return err
		}
	}
	if _, err := pool.Exec(ctx, "CREATE EXTENSION citus"); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "SELECT citus_set_coordinator_host($1, $2)", s.coordinator.host, s.coordinator.port); err != nil {
		return err
	}
	for _, w := range s.workers {
		if _, err := pool.Exec(ctx, "SELECT citus_add_node($1, $2)", w.host, w.port); err != nil {
			return err
		}
	}
	return nil
}

// inUse says that a database could not be dropped because of a session in it.
func inUse(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55006"
}

// withHost is a connection string, of either form, for another server.
func withHost(dsn string, n node) string {
	if u, err := url.Parse(dsn); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		u.Host = net.JoinHostPort(n.host, strconv.Itoa(n.port))
		return u.String()
	}
	return fmt.Sprintf("%s host=%s port=%d", dsn, n.host, n.port) // the last ones count
}
