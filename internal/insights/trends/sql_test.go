package trends

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/insights/query"
)

var update = flag.Bool("update", false, "write testdata/sql.golden anew")

// hostile is what nobody should be able to send into a statement's text.
const hostile = `x') OR true; --$1`

// TestStatementsSayOnlyWhatIsWrittenHere holds the SQL of every measure, breakdown and operator to a file that people
// have read.
func TestStatementsSayOnlyWhatIsWrittenHere(t *testing.T) {
	t.Parallel()
	hostilePath := events.Path{{Member: hostile}}
	each := events.Path{{Member: hostile}, {Each: true}, {Member: hostile}, {Index: 7}, {Each: true}}
	values := []json.RawMessage{json.RawMessage(`"` + hostile + `"`)}
	all := []query.Filter{{Op: query.Eq, Path: hostilePath, Values: values}, {Op: query.Neq, Path: hostilePath, Values: values}, {Op: query.In, Path: hostilePath, Values: values},
		{Op: query.Contains, Path: hostilePath, Text: hostile}, {Op: query.StartsWith, Path: hostilePath, Text: hostile}, {Op: query.Gt, Path: hostilePath, Number: 1}, {Op: query.Gte, Path: hostilePath, Number: 1e308},
		{Op: query.Lt, Path: hostilePath, Number: -1.5}, {Op: query.Lte, Path: hostilePath, Number: 5e-324}, {Op: query.Exists, Path: hostilePath},
		{Op: query.Not, Filters: []query.Filter{{Op: query.Or, Filters: []query.Filter{{Op: query.Exists, Path: hostilePath}, {Op: query.Exists, Path: hostilePath}}}}},
		{Op: query.Op(hostile), Path: hostilePath}}
	var b strings.Builder
	for _, c := range []struct {
		name string
		q    question
	}{
		{"people", question{measure: Users}},
		{"a mean of some names", question{measure: Avg, prop: hostilePath, names: []string{hostile}}},
		{"a percentile", question{measure: P95, prop: hostilePath, props: []byte(`{"a":"` + hostile + `"}`)}},
		{"events by prop", question{measure: Count, breakdown: ByProp, breakdownProp: hostilePath}},
		{"a mean by prop", question{measure: Avg, prop: hostilePath, breakdown: ByProp, breakdownProp: hostilePath}},
		{"people by name", question{measure: Users, breakdown: ByName}},
		{"every number of lists", question{measure: P95, prop: each, breakdown: ByProp, breakdownProp: events.Path{{Member: hostile}, {Index: 3}}}},
		{"conditions on lists", question{measure: Sum, prop: each[:2], filter: &query.Filter{Op: query.And, Filters: []query.Filter{
			{Op: query.Neq, Path: each, Values: values}, {Op: query.StartsWith, Path: each[:2], Text: hostile}, {Op: query.Exists, Path: each[:4]}}}}},
		{"every condition", question{measure: Count, filter: &query.Filter{Op: query.And, Filters: all}}},
	} {
		c.q.projectID = uuid.MustParse("018f0000-0000-7000-8000-000000000001")
		c.q.bounds = []time.Time{time.Unix(0, 0).UTC(), time.Unix(3600, 0).UTC()}
		show := func(sql string, args []any) {
			if strings.Contains(sql, "true; --") || strings.Count(sql, "'")%2 != 0 {
				t.Errorf("%s: what was sent is in the text: %s", c.name, sql)
			}
			fmt.Fprintf(&b, "-- %s\n%s\n", c.name, sql)
			for i, arg := range args {
				fmt.Fprintf(&b, "--   $%d %v\n", i+1, arg)
			}
			b.WriteByte('\n')
		}
		sql, args := c.q.series(10)
		show(sql, args)
	}
	path := filepath.Join("testdata", "sql.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the SQL has changed; read it, and then run go test -run TestStatements -update\n%s", b.String())
	}
}
