package live

import "github.com/prometheus/client_golang/prometheus"

// liveMetrics are the metrics of the live streams.
type liveMetrics struct {
	sent    prometheus.Counter
	missed  prometheus.Counter
	dropped prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, streams func() float64) *liveMetrics {
	m := &liveMetrics{
		sent: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_live_events_sent_total",
			Help: "Events sent to live streams: one event to ten streams counts ten."}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_live_missed_total",
			Help: "Events reported as missed to live streams, where the number is known."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_live_bus_dropped_total",
			Help: "Messages that did not reach the other nodes."}),
	}
	reg.MustRegister(m.sent, m.missed, m.dropped, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nimbus_live_subscribers",
		Help: "Open live streams."}, streams))
	return m
}
