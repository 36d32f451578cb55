package app

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/projects"
)

// poolCollector adds up the numbers of the pools when they are asked for.
type poolCollector struct{ pools []*pgxpool.Pool }

var (
	activeDesc = prometheus.NewDesc("postgresql_connections_active", "Database connections in use.", nil, nil)
	idleDesc   = prometheus.NewDesc("postgresql_connections_idle", "Database connections waiting for work.", nil, nil)
	maxDesc    = prometheus.NewDesc("postgresql_connections_max", "Database connections at most.", nil, nil)
	waitDesc   = prometheus.NewDesc("postgresql_connection_waits_total", "Times a connection had to be waited for.", nil, nil)
)

func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{activeDesc, idleDesc, maxDesc, waitDesc} {
		ch <- d
	}
}

func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	var active, idle, limit int32
	var waits int64
	for _, pool := range c.pools {
		s := pool.Stat()
		active, idle, limit, waits = active+s.AcquiredConns(), idle+s.IdleConns(), limit+s.MaxConns(), waits+s.EmptyAcquireCount()
	}
	gauge := func(d *prometheus.Desc, v int32) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	gauge(activeDesc, active)
	gauge(idleDesc, idle)
	gauge(maxDesc, limit)
	ch <- prometheus.MustNewConstMetric(waitDesc, prometheus.CounterValue, float64(waits))
}

// projectCollector counts the projects. When the database is away the numbers are left out: a zero would be a lie.
type projectCollector struct {
	active, deleted func(ctx context.Context) (int64, error)
}

var (
	projectsDesc = prometheus.NewDesc("nimbus_active_projects", "Projects that are not deleted.", nil, nil)
	purgeDesc    = prometheus.NewDesc("nimbus_purge_projects_pending", "Deleted projects of which something is still stored.", nil, nil)
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

// watchCollectors show the loop that listens for changes of keys.
func watchCollectors(keys *projects.Keys) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nimbus_key_watch_age_seconds",
			Help: "Time since the loop that listens for changes of keys last came round."}, func() float64 { return keys.WatchAge().Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nimbus_key_watch_listening",
			Help: "1 while changes of keys are heard and keys are remembered; 0 while each is looked up."}, func() float64 {
			if keys.Live() {
				return 1
			}
			return 0
		}),
	}
}
