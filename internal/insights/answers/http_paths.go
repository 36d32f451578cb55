package answers

import (
	"context"
	"slices"
	"strconv"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/query"
)

type pathsAsk struct {
	*resolver
	scope    scope
	question paths.Question
	nodes    *scan.Dictionary
	leftOut  []string
	listed   uint64 // the condition of the events that are nodes; 0: all are
	column   int
}

func (a *API) paths(at string, v *api.PathsInsight) (*pathsAsk, error) {
	r := a.resolver(at)
	p := &pathsAsk{resolver: r, leftOut: v.Exclude}
	p.scope = r.scope(r.framed(v.From, v.To, v.Tz, nil, v.AsOf, v.Filter, v.IncludeBots), a.now)
	r.countGroups(v.CountGroups)
	r.audience(a, &p.scope, v.People, "breakdown/cohorts", r.division(v.Breakdown, p.scope.Range), v.IncludeBots)
	prop := value(v.NodeProp)
	if prop == "" {
		p.column, p.nodes = r.names()
	} else {
		p.column, p.nodes = r.column(prop)
	}
	if len(v.Events) > 0 {
		p.listed = r.mark("events", v.Events, nil)
	}
	for i, id := range v.CustomEvents {
		marks, _ := r.customEvent("custom_events/"+strconv.Itoa(i), id, nil)
		p.listed |= marks
	}
	p.question = paths.Question{
		Node: p.column, NodeLabel: prop, Range: p.scope.Range, Window: or(v.WindowSeconds, 30*24*3600) * query.Second,
		Depth: int(or(v.Depth, 5)), Top: int(or(v.Top, 5)), Collapse: or(v.Collapse, true), Compare: compareValues(p.nodes),
		Start: p.anchor("start", v.Start, v), End: p.anchor("end", v.End, v),
		Count: map[string]paths.Count{"totals": paths.Totals, "sessions": paths.Sessions}[string(value(v.Count))],
	}
	if p.question.Count == paths.Sessions {
		r.sessions()
	}
	within(&r.query, p.question.Reads())
	return p, r.err()
}

func (p *pathsAsk) anchor(field string, v *api.Anchor, in *api.PathsInsight) *paths.Anchor {
	switch {
	case v == nil:
		return nil
	case v.Node == nil:
		marks, label := p.step(field, v.Event, v.CustomEvent, v.Filter)
		return &paths.Anchor{Marks: marks, Label: label}
	case v.Event != nil || v.CustomEvent != nil || v.Filter != nil:
		p.refuse(field+"/node", "conflict", "cannot be combined with event, custom_event or filter")
		return nil
	}
	anchor := &paths.Anchor{Label: *v.Node}
	if slices.Contains(in.Exclude, *v.Node) {
		return anchor // a node that is left out is none
	}
	if prop := value(in.NodeProp); prop != "" {
		anchor.Marks = p.nodeEvents(field, in, "", &scan.Filter{Op: scan.Eq, Prop: prop, Values: []parts.Value{{Kind: parts.String, Text: *v.Node}}})
	} else {
		anchor.Marks = p.nodeEvents(field, in, *v.Node, nil)
	}
	return anchor
}

// nodeEvents is the condition of being an event that is a node, has the name, any when it is empty, and fits the filter.
func (p *pathsAsk) nodeEvents(field string, in *api.PathsInsight, name string, filter *scan.Filter) (marks uint64) {
	names := in.Events
	if name != "" {
		names = []string{name}
	}
	if len(in.Events) == 0 && len(in.CustomEvents) == 0 || len(in.Events) > 0 && (name == "" || slices.Contains(in.Events, name)) {
		marks = p.mark(field, names, filter)
	}
	for _, id := range in.CustomEvents {
		if e := p.customEventOf(id); e != nil {
			marks |= p.anyPart(field, e, name, filter)
		}
	}
	return marks
}

// AskPaths serves POST /v1/insights/paths.
func (a *API) AskPaths(ctx context.Context, request api.AskPathsRequestObject) (api.AskPathsResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	var v api.PathsInsight
	if err := recast(request.Body, &v); err != nil {
		return nil, err
	}
	p, err := a.paths("", &v)
	if err != nil {
		return nil, err
	}
	var out api.AskPaths200JSONResponse
	begun.scope, begun.of = p.scope, p.resolver
	begun.outcome, err = run(ctx, a.s, begun.project, p.resolver, p.fresh(nil),
		func(_ *behaviour.View, all *pathsOperator, groups *groups[*pathsOperator]) error {
			answer := all.Answer()
			out = api.AskPaths200JSONResponse(p.answer(&answer))
			for i, g := range groups.list {
				answer := g.Answer()
				of := p.answer(&answer)
				value, cohort := p.group(groups.values, i)
				out.Groups = append(out.Groups, api.PathsGroup{Value: value, Cohort: cohort, Paths: of.Paths, Longer: of.Longer, Steps: of.Steps, Links: of.Links})
			}
			if groups.others > 0 {
				answer := groups.rest.Answer()
				of := p.answer(&answer)
				out.Other = &api.PathsOther{Values: int64(groups.others), Paths: of.Paths, Longer: of.Longer, Steps: of.Steps, Links: of.Links}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	out.Meta = begun.meta(a.s.o.Now(), p.scope.Range, paths.Definition(&p.question), nil)
	return out, nil
}

// pathsOperator is paths without the nodes that are left out, which only the question knows by their text.
type pathsOperator struct {
	*paths.Paths
	ask   *pathsAsk
	codes map[uint32]bool // whether a node is left out
}

// fresh makes operators; at is what is asked about, or nil.
func (p *pathsAsk) fresh(at *paths.Coordinate) func() *pathsOperator {
	return func() *pathsOperator {
		op := &pathsOperator{Paths: paths.New(p.question), ask: p, codes: map[uint32]bool{}}
		if at != nil {
			op.Collect(*at)
		}
		return op
	}
}

// Add takes the nodes that are left out from a person's rows, and adds him.
func (o *pathsOperator) Add(person *behaviour.Person) {
	p := o.ask
	if len(p.leftOut) > 0 || p.listed != 0 {
		for i := range person.Rows {
			row := &person.Rows[i]
			if p.listed != 0 && row.Marks&p.listed == 0 || o.left(row.Values[p.column]) {
				row.Values[p.column] = 0
			}
		}
	}
	o.Paths.Add(person)
}

func (o *pathsOperator) left(code uint32) bool {
	out, known := o.codes[code]
	if !known {
		out = slices.Contains(o.ask.leftOut, o.ask.nodes.Value(code).Text)
		o.codes[code] = out
	}
	return out
}

// Merge adds what another found.
func (o *pathsOperator) Merge(other *pathsOperator) { o.Paths.Merge(other.Paths) }

func (p *pathsAsk) answer(in *paths.Answer) api.PathsAnswer {
	node := func(code uint32) api.GroupValue { return jsonOf(p.nodes.Value(code)) }
	out := api.PathsAnswer{Paths: int64(in.Paths), Longer: int64(in.Longer), Backwards: in.Backwards,
		Steps: make([]api.PathStep, len(in.Steps)), Links: make([]api.PathLink, len(in.Links))}
	for i, s := range in.Steps {
		step := api.PathStep{Step: int32(i + 1), Other: int64(s.Other), Nodes: make([]api.PathNode, len(s.Nodes))}
		for k, n := range s.Nodes {
			step.Nodes[k] = api.PathNode{Node: node(n.Node), Count: int64(n.Count), DropOff: int64(n.DropOff)}
		}
		out.Steps[i] = step
	}
	for i, l := range in.Links {
		link := api.PathLink{Step: int32(l.Step), From: node(l.From), To: jsonOf(parts.Value{}), Count: int64(l.Count)}
		if !l.Other {
			link.To = node(l.To)
		}
		out.Links[i] = link
	}
	return out
}

// nodeAt is the coordinate of a node of the answer; nil and a refusal when nobody came to it.
func (p *pathsAsk) coordinate(r *resolver, at *api.Coordinate) paths.Coordinate {
	c := paths.Coordinate{Step: int(value(at.Step)), Other: value(at.Other)}
	if c.Step == 0 {
		r.refuse("at/step", contract.CodeRequired, "is required: which step of the paths")
	}
	return c
}
