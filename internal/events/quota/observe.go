package quota

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

// usageCollector shows the projects that have used much of what they may. Showing all would be a series for each
// project.
type usageCollector struct{ keeper *Keeper }

// shownFrom is from which part of a limit on a project is shown.
const shownFrom = 0.8

var usedDesc = prometheus.NewDesc("nimbus_project_quota_used_ratio",
	"The part of a limit that a project has used, of those that sent events to this node lately and have used 0.8 or more.",
	[]string{"project", "quota"}, nil)

func (usageCollector) Describe(ch chan<- *prometheus.Desc) { ch <- usedDesc }

func (c usageCollector) Collect(ch chan<- prometheus.Metric) {
	c.keeper.mu.Lock() // which every request of events takes: not while metrics are made of all projects
	projects := maps.Clone(c.keeper.projects)
	c.keeper.mu.Unlock()
	for id, p := range projects {
		p.mu.Lock()
		l := p.limits
		used := map[string][2]int64{
			quotaEvents:   {p.today, l.EventsPerDay},
			quotaBytes:    {p.bytes, l.StoredBytes},
			"event_names": {int64(len(p.names)), int64(l.EventNames)},
		}
		p.mu.Unlock()
		for quota, of := range used {
			if ratio := float64(of[0]) / float64(of[1]); of[1] > 0 && ratio >= shownFrom {
				ch <- prometheus.MustNewConstMetric(usedDesc, prometheus.GaugeValue, ratio, id.String(), quota)
			}
		}
	}
}
