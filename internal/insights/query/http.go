package query

import (
	"errors"
	"fmt"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
)

// FilterOf reads a filter of the contract. One that Check refuses for its size is read only as far as it takes to refuse
// it, which bounds the work on one that is far too large. The request has been checked against the contract already, so an
// error is ours.
func FilterOf(f *api.MetricsFilter) (*Filter, error) {
	if f == nil {
		return nil, nil
	}
	nodes := 0
	out, err := filterOf(f, 1, &nodes)
	if err != nil {
		return nil, fmt.Errorf("read a filter: %w", err)
	}
	return &out, nil
}

func filterOf(f *api.MetricsFilter, depth int, nodes *int) (Filter, error) {
	if *nodes++; depth > MaxFilterDepth || *nodes > MaxFilterNodes {
		return Filter{}, nil
	}
	variant, err := f.ValueByDiscriminator()
	if err != nil {
		return Filter{}, err
	}
	switch v := variant.(type) {
	case api.FilterGroup:
		out := Filter{Op: Op(v.Op), Filters: make([]Filter, len(v.Filters))}
		for i := range v.Filters {
			if out.Filters[i], err = filterOf(&v.Filters[i], depth+1, nodes); err != nil {
				return out, err
			}
		}
		return out, nil
	case api.FilterNot:
		under, err := filterOf(&v.Filter, depth+1, nodes)
		return Filter{Op: Not, Filters: []Filter{under}}, err
	case api.FilterEqual:
		return onPath(v.Prop, Filter{Op: Op(v.Op), Values: []api.Scalar{v.Value}})
	case api.FilterIn:
		return onPath(v.Prop, Filter{Op: In, Values: v.Values})
	case api.FilterContains:
		return onPath(v.Prop, Filter{Op: Op(v.Op), Text: v.Value})
	case api.FilterCompare:
		return onPath(v.Prop, Filter{Op: Op(v.Op), Number: v.Value})
	case api.FilterExists:
		return onPath(v.Prop, Filter{Op: Exists})
	default:
		return Filter{}, fmt.Errorf("a node is a %T", v)
	}
}

func onPath(path string, f Filter) (_ Filter, err error) {
	f.Path, err = PathOf(path)
	return f, err
}

// PathOf reads a path of the contract, whose pattern it fits; "" is none.
func PathOf(path string) (events.Path, error) {
	if path == "" {
		return nil, nil
	}
	p, err := events.ParsePath(path)
	if err != nil {
		return nil, fmt.Errorf("the path %q: %w", path, err)
	}
	return p, nil
}

// Refused makes of an Invalid what the caller is told: in is where in the request the question stands, under the way to it.
// Any other error stays as it is.
func Refused(err error, in string, under ...any) error {
	var invalid Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	fields := make([]contract.FieldError, len(invalid))
	for i, f := range invalid {
		fields[i] = contract.FieldError{In: in, Pointer: contract.Pointer(below(under, f.At...)...), Code: f.Code, Detail: f.Detail, Item: -1}
	}
	return problem.Invalid(fields...)
}
