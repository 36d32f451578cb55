package app

import (
	"flag"
	"maps"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/platform/config"
)

// A dialect that is in the contract and not wired would answer 404 to the SDKs of its vendor.
func TestEveryDialectOfTheContractIsWiredAndOnByDefault(t *testing.T) {
	t.Parallel()
	contract := map[string]bool{}
	for _, op := range api.VendorOperations {
		contract[op.Dialect] = true
	}
	wired := map[string]bool{}
	for _, d := range dialects {
		wired[d.Name()] = true
	}
	cfg, _, err := config.Load(flag.NewFlagSet("test", flag.ContinueOnError), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	byDefault := slices.Sorted(slices.Values(cfg.Compat))
	for what, got := range map[string][]string{"wired": slices.Sorted(maps.Keys(wired)), "on by default": byDefault} {
		if want := slices.Sorted(maps.Keys(contract)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, in the contract: %q", what, got, want)
		}
	}
}
