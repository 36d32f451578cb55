package live

import (
	"slices"
	"strings"
)

// entry is an event in the ring, or a gap where events are missing.
type entry struct {
	name   string
	source uint64 // 0 for a gap of unknown size
	seq    uint64 // of the event, or of the last one missing
	frame  frame
	gap    bool
	count  int64 // of a gap: how many are missing, when that is known
}

// ring is the newest events of a project, in the order in which this node received them. Every stream of the project
// reads from it at its own pace, so it is also the buffer of each stream: one that falls behind the tail has missed
// events.
type ring struct {
	entries []entry
	tail    uint64 // place of the first entry; places are numbered without end
	bytes   int
	groups  map[string]*group
}

func (r *ring) head() uint64 { return r.tail + uint64(len(r.entries)) }

func (r *ring) push(e entry) {
	r.entries = append(r.entries, e)
	r.bytes += e.size()
}

// evict drops the oldest entry.
func (r *ring) evict() entry {
	e := r.entries[0]
	r.entries[0] = entry{} // releases its memory; append would keep it
	r.entries = r.entries[1:]
	r.tail++
	r.bytes -= e.size()
	for _, g := range r.groups {
		g.evicted.add(g, &e)
	}
	return e
}

func (e *entry) size() int { return len(e.frame.sse) + len(e.name) + 128 }

// tally counts the entries before a place that a stream shows.
type tally struct {
	events  int64
	unknown int64 // gaps for which the number of missing events that the filter shows is not known
}

func (t *tally) add(g *group, e *entry) {
	switch {
	case e.gap && e.source != 0 && g.names == nil:
		t.events += e.count
	case e.gap:
		t.unknown++
	case g.shows(e):
		t.events++
	}
}

// group is the streams of a project with the same filter and transport: all are sent the same bytes. It counts
// evicted events, so that a stream that fell behind gets the exact number of its missed events, although they are
// gone.
type group struct {
	key       string
	transport transport
	names     map[string]struct{} // nil: all
	streams   int
	evicted   tally
	chunk     chunk // of the current round; only topic.run changes it
}

func (g *group) shows(e *entry) bool {
	if g.names == nil {
		return true
	}
	_, ok := g.names[e.name]
	return ok
}

// join returns the group of a filter and a transport, for one more stream.
func (r *ring) join(d transport, names []string) *group {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	key := string(rune(d)) + strings.Join(names, "\x00")
	g := r.groups[key]
	if g == nil {
		g = &group{key: key, transport: d}
		if len(names) > 0 {
			g.names = make(map[string]struct{}, len(names))
			for _, n := range names {
				g.names[n] = struct{}{}
			}
		}
		if r.groups == nil {
			r.groups = make(map[string]*group)
		}
		r.groups[key] = g
	}
	g.streams++
	return g
}

func (r *ring) leave(g *group) {
	if g.streams--; g.streams == 0 {
		delete(r.groups, g.key)
	}
}

// upTo counts what the group shows before a place.
func (r *ring) upTo(g *group, place uint64) tally {
	t := g.evicted
	if g.names == nil && place == r.tail {
		return t
	}
	for k := range r.entries[:place-r.tail] {
		t.add(g, &r.entries[k])
	}
	return t
}
