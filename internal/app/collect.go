package app

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/platform/embedded"
)

// poolCollector collects the metrics of each pool by itself: an exhausted pool cannot use the free connections of the
// other.
type poolCollector map[string]*pgxpool.Pool

var (
	byPool     = []string{"pool"}
	activeDesc = prometheus.NewDesc("postgresql_connections_active", "Database connections in use.", byPool, nil)
	idleDesc   = prometheus.NewDesc("postgresql_connections_idle", "Idle database connections.", byPool, nil)
	maxDesc    = prometheus.NewDesc("postgresql_connections_max", "Limit of database connections.", byPool, nil)
	waitDesc   = prometheus.NewDesc("postgresql_connection_waits_total", "Times a request had to wait for a connection.", byPool, nil)
)

func (poolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{activeDesc, idleDesc, maxDesc, waitDesc} {
		ch <- d
	}
}

func (c poolCollector) Collect(ch chan<- prometheus.Metric) {
	for name, pool := range c {
		s := pool.Stat()
		for d, v := range map[*prometheus.Desc]int32{activeDesc: s.AcquiredConns(), idleDesc: s.IdleConns(), maxDesc: s.MaxConns()} {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), name)
		}
		ch <- prometheus.MustNewConstMetric(waitDesc, prometheus.CounterValue, float64(s.EmptyAcquireCount()), name)
	}
}

// projectCollector counts the projects. While the database is unavailable the metrics are absent: a zero would be
// wrong.
type projectCollector struct {
	active, deleted func(ctx context.Context) (int64, error)
}

var (
	projectsDesc = prometheus.NewDesc("nimbus_active_projects", "Projects that are not deleted.", nil, nil)
	purgeDesc    = prometheus.NewDesc("nimbus_purge_projects_pending", "Deleted projects whose data is not yet purged.", nil, nil)
)

func (c *projectCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- projectsDesc
	ch <- purgeDesc
}

func (c *projectCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, count func(context.Context) (int64, error)) {
		if n, err := count(ctx); err == nil {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
		}
	}
	gauge(projectsDesc, c.active)
	gauge(purgeDesc, c.deleted)
}

// partsCollector tells how far the parts are behind what is stored. While the database does not answer it is left out.
type partsCollector struct {
	behind func(ctx context.Context) (events int64, age time.Duration, err error)
}

var (
	backlogDesc  = prometheus.NewDesc("nimbus_parts_backlog_events", "Stored events that are in no part yet.", nil, nil)
	partsAgeDesc = prometheus.NewDesc("nimbus_parts_age_seconds", "How long the oldest of them has been stored; 0 when there is none.", nil, nil)
)

func (partsCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- backlogDesc
	ch <- partsAgeDesc
}

func (c partsCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	events, age, err := c.behind(ctx)
	if err != nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(backlogDesc, prometheus.GaugeValue, float64(events))
	ch <- prometheus.MustNewConstMetric(partsAgeDesc, prometheus.GaugeValue, age.Seconds())
}

// countCollector tells how many of something the database has. While that does not answer it is left out.
type countCollector struct {
	desc  *prometheus.Desc
	count func(ctx context.Context) (int64, error)
}

var (
	pendingDesc = prometheus.NewDesc("nimbus_profile_operations_pending", "Stored operations that are in no profile yet; questions apply them by themselves.", nil, nil)
	erasingDesc = prometheus.NewDesc("nimbus_people_erasing", "People who are being erased: a job goes on until nothing is left of them.", nil, nil)
)

func (c countCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c countCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n, err := c.count(ctx); err == nil {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(n))
	}
}

// healthCollector exports the readiness checks.
type healthCollector struct{ health *health }

var readyDesc = prometheus.NewDesc("nimbus_ready", "1 while the readiness check passes. A node with a failed check gets no requests.", []string{"check"}, nil)

func (healthCollector) Describe(ch chan<- *prometheus.Desc) { ch <- readyDesc }

func (c healthCollector) Collect(ch chan<- prometheus.Metric) {
	h, _ := c.health.check(context.Background()) // the database has a time limit of its own
	for name, check := range map[string]api.Check{"database": h.Checks.Database, "ingest": h.Checks.Ingest} {
		value := 0.0
		if check.Status == api.CheckOK {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, value, name)
	}
}

// diskCollector exports the free disk of the embedded PostgreSQL.
type diskCollector string

var freeDesc = prometheus.NewDesc("nimbus_disk_free_bytes", "Free disk of the embedded PostgreSQL, in NIMBUS_DATA_DIR.", nil, nil)

func (diskCollector) Describe(ch chan<- *prometheus.Desc) { ch <- freeDesc }

func (dir diskCollector) Collect(ch chan<- prometheus.Metric) {
	if free, _, err := embedded.DiskSpace(string(dir)); err == nil {
		ch <- prometheus.MustNewConstMetric(freeDesc, prometheus.GaugeValue, float64(free))
	}
}

// watchCollectors export the state of the loop that listens for key changes.
func watchCollectors(keys *projects.Keys) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nimbus_key_watch_age_seconds",
			Help: "Age of the last iteration of the loop that listens for key changes."}, func() float64 { return keys.WatchAge().Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nimbus_key_watch_listening",
			Help: "1 while key changes are received and keys are cached; 0 while each key is looked up."}, func() float64 {
			if keys.Live() {
				return 1
			}
			return 0
		}),
	}
}
