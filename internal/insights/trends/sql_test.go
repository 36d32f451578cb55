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
)

var update = flag.Bool("update", false, "write testdata/sql.golden anew")

// hostile is what nobody should be able to send into a statement's text.
const hostile = `x') OR true; --$1`

// TestStatementsSayOnlyWhatIsWrittenHere holds the SQL of every measure, breakdown and operator to a file that people
// have read.
func TestStatementsSayOnlyWhatIsWrittenHere(t *testing.T) {
	t.Parallel()
	values := []json.RawMessage{json.RawMessage(`"` + hostile + `"`)}
	all := []Filter{{Op: Eq, Prop: hostile, Values: values}, {Op: Neq, Prop: hostile, Values: values}, {Op: In, Prop: hostile, Values: values},
		{Op: Contains, Prop: hostile, Text: hostile}, {Op: Gt, Prop: hostile, Number: 1}, {Op: Gte, Prop: hostile, Number: 1e308},
		{Op: Lt, Prop: hostile, Number: -1.5}, {Op: Lte, Prop: hostile, Number: 5e-324}, {Op: Exists, Prop: hostile},
		{Op: Not, Filters: []Filter{{Op: Or, Filters: []Filter{{Op: Exists, Prop: hostile}, {Op: Exists, Prop: hostile}}}}},
		{Op: Op(hostile), Prop: hostile}}
	var b strings.Builder
	for _, c := range []struct {
		name string
		q    question
	}{
		{"people", question{measure: Users}},
		{"a mean of some names", question{measure: Avg, prop: hostile, names: []string{hostile}}},
		{"a percentile", question{measure: P95, prop: hostile, props: []byte(`{"a":"` + hostile + `"}`)}},
		{"events by prop", question{measure: Count, breakdown: ByProp, breakdownProp: hostile}},
		{"a mean by prop", question{measure: Avg, prop: hostile, breakdown: ByProp, breakdownProp: hostile}},
		{"people by name", question{measure: Users, breakdown: ByName}},
		{"every condition", question{measure: Count, filter: &Filter{Op: And, Filters: all}}},
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
