package replica

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	up, seconds, bytes prometheus.Gauge
	fallbacks          *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		up: prometheus.NewGauge(prometheus.GaugeOpts{Name: "nimbus_replica_up",
			Help: "1 when the replica answered the last measurement and is a standby of the primary."}),
		seconds: prometheus.NewGauge(prometheus.GaugeOpts{Name: "nimbus_replica_lag_seconds",
			Help: "How long the replica has lacked something that the primary had written; NaN while that is not known."}),
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{Name: "nimbus_replica_lag_bytes",
			Help: "What the primary had written and the replica had not replayed; NaN while that is not known."}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_replica_fallbacks_total",
			Help: "Questions asked of the primary instead of the replica, because that was away or behind, or had failed."}, []string{"reason"}),
	}
	reg.MustRegister(m.up, m.seconds, m.bytes, m.fallbacks)
	for _, reason := range []string{away, behind, failed} {
		m.fallbacks.WithLabelValues(reason) // shown from the start, as 0
	}
	return m
}

func (m *metrics) set(found lag, err error) {
	up, seconds, bytes := 1.0, found.time.Seconds(), float64(found.bytes)
	if err != nil {
		up, bytes = 0, math.NaN()
	}
	if err != nil || !found.known {
		seconds = math.NaN()
	}
	m.up.Set(up)
	m.seconds.Set(seconds)
	m.bytes.Set(bytes)
}
