package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
)

// ingestMetrics are the numbers an operator watches.
type ingestMetrics struct {
	reg        prometheus.Registerer
	accepted   prometheus.Counter
	duplicates prometheus.Counter
	rejected   *prometheus.CounterVec
	received   *prometheus.CounterVec
	operations *prometheus.CounterVec
	refused    *prometheus.CounterVec
	queueFull  prometheus.Counter
	flushes    prometheus.Histogram
	flushRows  prometheus.Histogram
	failures   prometheus.Counter
}

// NewMetrics registers the collectors of ingestion.
func NewMetrics(reg prometheus.Registerer) *ingestMetrics { //nolint:revive // opaque to callers: they only hand it on
	m := &ingestMetrics{
		reg: reg,
		accepted: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_events_ingested_total",
			Help: "Events committed to the database."}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_events_duplicate_total",
			Help: "Events that were stored before and changed nothing."}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_events_rejected_total",
			Help: "Errors of refused events, by code."}, []string{"code"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_events_received_total",
			Help: "Events that keep to the contract of the way they came in by, whatever became of them."}, []string{"source"}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_profile_operations_total",
			Help: "Operations on profiles, by the way they came in and by what became of them: stored, duplicate or refused."},
			[]string{"source", "outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nimbus_profile_operations_rejected_total",
			Help: "Errors of refused operations on profiles, by code."}, []string{"code"}),
		queueFull: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_ingest_queue_full_total",
			Help: "Requests answered with 503 because too much was waiting."}),
		flushes: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "nimbus_flush_duration_seconds",
			Help: "Time of one flush, commit included.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		flushRows: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "nimbus_flush_rows",
			Help: "Events and operations in one transaction.", Buckets: prometheus.ExponentialBuckets(1, 4, 8)}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_flush_failures_total",
			Help: "Transactions that stored nothing because of the database; their requests were answered with 503."}),
	}
	reg.MustRegister(m.accepted, m.duplicates, m.rejected, m.received, m.operations, m.refused, m.queueFull, m.flushes, m.flushRows, m.failures)
	return m
}

// watch registers the gauges that are read from the batcher when they are asked for.
func (m *ingestMetrics) watch(b *Batcher) {
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			b.mu.Lock()
			defer b.mu.Unlock()
			return f()
		})
	}
	m.reg.MustRegister(
		gauge("nimbus_ingest_queue_rows", "Events and operations waiting for a flush.", func() float64 { return float64(b.rows) }),
		gauge("nimbus_ingest_queue_bytes", "Bytes of events and operations waiting for a flush.", func() float64 { return float64(b.bytes) }),
		gauge("nimbus_ingest_oldest_seconds", "How long the oldest request has been waiting for its commit.",
			func() float64 { return b.oldestLocked().Seconds() }),
		gauge("nimbus_ingest_flushers", "Flushers that run.", func() float64 { return float64(b.alive) }),
	)
}

// count counts the events of one request.
func (m *ingestMetrics) count(from Source, results []Result) {
	var stored, duplicates int
	for k := range results {
		switch r := &results[k]; r.Outcome {
		case Stored:
			stored++
		case Duplicate:
			duplicates++
		case Refused:
			m.rejected.WithLabelValues(r.Refusal.Code).Inc()
		case waiting: // none is, once Submit has succeeded
		}
	}
	m.received.WithLabelValues(from.Kind).Add(float64(len(results)))
	m.accepted.Add(float64(stored))
	m.duplicates.Add(float64(duplicates))
}

// countOperations counts the operations of one request.
func (m *ingestMetrics) countOperations(from Source, results []OperationResult) {
	var by [Refused + 1]int
	for k := range results {
		by[results[k].Outcome]++
		for _, r := range results[k].Refusals {
			m.refused.WithLabelValues(r.Code).Inc()
		}
	}
	for outcome, label := range map[Outcome]string{Stored: "stored", Duplicate: "duplicate", Refused: "refused"} {
		if n := by[outcome]; n > 0 {
			m.operations.WithLabelValues(from.Kind, label).Add(float64(n))
		}
	}
}
