package app_test

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/test/apptest"
)

// FuzzContract sends generated requests to every operation, half of them broken in one place. No input may end in a
// 5xx, in a status that the contract does not have, or in a body that breaks its schema, and nothing that the
// contract refuses may be accepted: the client checks that of every exchange.
func FuzzContract(f *testing.F) {
	spec, err := apptest.LoadSpec()
	if err != nil {
		f.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{'n', 'i', 'm', 'b', 'u', 's'})
	for range 12 {
		seed := make([]byte, 32<<10)
		_, _ = random.Read(seed) // it does not fail
		f.Add(seed)
	}
	a := apptest.Boot(f)
	paths := slices.Sorted(maps.Keys(spec.Paths.Map()))
	f.Fuzz(func(t *testing.T, choices []byte) {
		dice := apptest.NewDice(choices)
		for _, path := range paths {
			x := a.Tenant(t) // a new one, because the operations before may have ended its session or deleted its project
			callers := []*apptest.Client{x.Client, a.Client(t).Bearer(x.RefreshToken), a.Client(t).With("X-API-Key", x.Secret), a.Client(t)}
			item := spec.Paths.Value(path)
			for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
				op := api.Operations[item.GetOperation(method).OperationID]
				if op == nil { // another vendor's: its body is open, and internal/events/compat has a fuzz test of its own
					continue
				}
				g := &apptest.Generator{Dice: dice, IDs: things(t, a, x, op)}
				for _, broken := range []bool{false, true} {
					r := g.Request(path, method, item, broken)
					caller := x.Client
					switch {
					case dice.OneIn(6):
						caller = callers[dice.N(len(callers))]
					case path == "/v1/events" && method == http.MethodPost:
						caller = callers[2]
					}
					for name, value := range r.Header {
						caller = caller.With(name, value)
					}
					req := caller.Request(r.Method, r.Path, r.Body)
					if reply := caller.Send(req); reply.Status >= 500 {
						t.Errorf("%s %s: %d: %s\nbody %.400q", r.Method, r.Path, reply.Status, reply.Body, r.Body)
					}
				}
			}
		}
	})
}
