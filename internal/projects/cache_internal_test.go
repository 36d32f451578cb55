package projects

import "testing"

// What was loaded before a change and comes back after it must not be remembered.
func TestALookupThatAChangeOvertookIsNotRemembered(t *testing.T) {
	t.Parallel()
	var c keyCache
	c.forget(true)
	loads := 0
	load := func() (int, bool, error) {
		loads++
		if loads == 1 {
			c.forget(true) // the change arrives while the old row is on its way
		}
		return loads, true, nil
	}
	for _, want := range []int{1, 2, 2} {
		if got, found, err := cached(&c, byID, "k", load); got != want || !found || err != nil {
			t.Errorf("got %d, %v, %v; want %d", got, found, err, want)
		}
	}
}
