package auth_test

import (
	"testing"

	"github.com/bahagh/nimbus/internal/access/auth"
)

func TestAnAddressIsFoldedOnlyWhereThatLosesNothing(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"Ada@Example.COM":       "ada@example.com",
		"\u212Ailo@example.com": "\u212Ailo@example.com", // strings.ToLower: kilo@
		"\u0130d@example.com":   "\u0130d@example.com",   // strings.ToLower: id@
		"\u017Fam@example.com":  "\u017Fam@example.com",  // strings.EqualFold: sam@
		"\u00C9va@example.com":  "\u00C9va@example.com",
		"\xff@EXAMPLE.com":      "\xff@example.com",
		"":                      "",
	} {
		if got := auth.FoldEmail(address); got != want {
			t.Errorf("%q becomes %q, want %q", address, got, want)
		}
	}
}
