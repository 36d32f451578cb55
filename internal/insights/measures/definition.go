package measures

import (
	"fmt"
	"strings"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Definition says in words what the lines and the formulas of a question count.
func Definition(lines []Line, formulas []*Formula, by []string, bucket query.Bucket) string {
	var said []string
	people := false
	for i := range lines {
		said = append(said, fmt.Sprintf("%c is %s", 'A'+i, lines[i].what(bucket.Word())))
		people = people || lines[i].Measure == Users || lines[i].Measure.PerPerson()
	}
	for _, f := range formulas {
		said = append(said, f.String()+" is computed of them, and empty where one is or where it divides by nothing")
	}
	text := "Of each " + bucket.Word() + " and of the whole range: " + strings.Join(said, "; ") + "."
	if people {
		text += " People are counted once, whatever ids they had, in a " + bucket.Word() + " and in the range, so that what is of people does not add up."
	}
	if len(by) > 0 {
		text += " Groups are by " + query.List(by, "and") + ", those with the largest A; the rest is measured together."
	}
	return text
}

func (l *Line) what(bucket string) string {
	did := l.Label
	if l.FirstTime {
		did += " for the first time ever"
	}
	var text string
	switch {
	case l.Rolling > 0:
		return "how many different people did " + did + " in the " + query.Plural(int64(l.Rolling), "day") + " that end with the " + bucket
	case l.Measure == Count:
		text = "how often people did " + did
		if !l.FirstTime {
			text = "how many events there were of " + did
		}
	case l.Measure == Users:
		text = "how many different people did " + did
	case l.Measure.PerPerson():
		text = l.statistic() + " of how many events of " + did + " a person did, over those who did any"
	default:
		text = l.statistic() + " of " + l.Prop + " over " + did + ", where it is a number"
	}
	if l.Cumulative {
		text += ", from the start of the range to the end of the " + bucket
	}
	return text
}

func (l *Line) statistic() string {
	switch l.Measure {
	case Sum:
		return "the sum"
	case Avg, PerPersonAvg:
		return "the mean"
	case Min:
		return "the smallest"
	case Max:
		return "the largest"
	case P50, PerPersonP50:
		return "the median"
	default:
		return fmt.Sprintf("the %.0fth percentile", 100*l.Measure.Percentile())
	}
}
