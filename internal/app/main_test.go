package app_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// TestMain adds one test that must run after all others: every documented status of every operation must have been
// seen. A status that no test exercises is an unchecked promise.
func TestMain(m *testing.M) {
	nimbustest.MainThen(m, func(code int) int {
		if code != 0 || flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.list").Value.String() != "" ||
			flag.Lookup("test.fuzz").Value.String() != "" {
			return code
		}
		var missing []string
		for id, op := range api.Operations {
			for _, status := range op.Statuses {
				if apptest.Seen.Count(id, status) == 0 {
					missing = append(missing, fmt.Sprintf("%s %d", id, status))
				}
			}
		}
		for id, op := range api.VendorOperations {
			for _, status := range op.Statuses {
				if apptest.Seen.Count(id, status) == 0 {
					missing = append(missing, fmt.Sprintf("%s %d", id, status))
				}
			}
		}
		if len(missing) == 0 {
			return code
		}
		slices.Sort(missing)
		fmt.Fprintln(os.Stderr, "FAIL: documented and never exercised:", missing)
		return 1
	})
}
