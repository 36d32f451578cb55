package activity

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// NoAsOf is the AsOf of a question about everything that is known: every period is complete.
const NoAsOf = math.MaxInt64

// Step is an event that fits any of its conditions: doing it is being active.
type Step struct {
	Marks uint64
	Label string // for the definition
}

// people are those found behind a number.
type people []query.Found

func (p *people) add(no uint32, at int64) {
	*p = append(*p, query.Found{Member: behaviour.Member{No: no, At: at}})
}

// sorted returns them by their numbers.
func (p people) sorted() []behaviour.Member { return query.Members(p, nil) }

// visit is the first and the last active event of a person in a period.
type visit struct {
	period      int
	first, last int64
}

// visits are the periods that a person was active in, in order. The memory serves one person after another.
type visits []visit

// load finds the periods between bounds that a person was active in. Events before the first bound have period -1,
// those after the last are left out.
func (v *visits) load(rows []behaviour.Row, marks uint64, bounds []int64) {
	list := (*v)[:0]
	period, end := -1, bounds[0]
	for i := range rows {
		if rows[i].Marks&marks == 0 {
			continue
		}
		at := rows[i].TS
		if n := len(list); at < end && n > 0 {
			list[n-1].last = at
			continue
		}
		for at >= end {
			if period++; period == len(bounds)-1 {
				*v = list
				return
			}
			end = bounds[period+1]
		}
		list = append(list, visit{period, at, at})
	}
	*v = list
}
