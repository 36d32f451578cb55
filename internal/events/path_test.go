package events_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bahagh/nimbus/internal/events"
)

func TestPathsAreReadAndWrittenAlike(t *testing.T) {
	t.Parallel()
	name := func(s string) events.Step { return events.Step{Member: s} }
	at := func(n int) events.Step { return events.Step{Index: n} }
	each := events.Step{Each: true}
	for _, c := range []struct {
		text  string
		want  events.Path
		write string // when it is not text
	}{
		{"plan", events.Path{name("plan")}, ""},
		{"cart.total", events.Path{name("cart"), name("total")}, ""},
		{"items[].sku", events.Path{name("items"), each, name("sku")}, ""},
		{"items[0].sku", events.Path{name("items"), at(0), name("sku")}, ""},
		{"grid[][12][]", events.Path{name("grid"), each, at(12), each}, ""},
		{"items[007]", events.Path{name("items"), at(7)}, "items[7]"},
		{`http\.status`, events.Path{name("http.status")}, ""},
		{`a\[0]`, events.Path{name("a[0]")}, ""},
		{`a]`, events.Path{name("a]")}, ""},
		{`a\\.b`, events.Path{name(`a\`), name("b")}, ""},
		{`back\slash`, events.Path{name(`back\slash`)}, `back\\slash`},
		{" ", events.Path{name(" ")}, ""},
		{"0", events.Path{name("0")}, ""},
		{"日本.语", events.Path{name("日本"), name("语")}, ""},
	} {
		got, err := events.ParsePath(c.text)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.text, got, err, c.want)
			continue
		}
		write := c.write
		if write == "" {
			write = c.text
		}
		if got.String() != write {
			t.Errorf("%s is written %s, want %s", c.text, got, write)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"", "name"}, {".", "name"}, {"a.", "name"}, {".a", "name"}, {"a..b", "name"}, {"[0]", "name"}, {"a[0]b", "name"}, {"a.[0]", "name"},
		{"a[", "brackets"}, {"a[x]", "brackets"}, {"a[-1]", "brackets"}, {"a[+1]", "brackets"}, {"a[10000]", "brackets"}, {"a[00001]", "brackets"},
		{`a\`, "backslash"}, {`a.b\`, "backslash"},
	} {
		if got, err := events.ParsePath(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v; want an error about %s", c.text, got, err, c.want)
		}
	}
}

// patterns returns those that the contract has for paths.
func patterns(t testing.TB) []*regexp.Regexp {
	t.Helper()
	text, err := os.ReadFile("../../openapi/nimbus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`pattern: '(.*)'\n +x-must-be: a path`).FindAllSubmatch(text, -1)
	if len(found) != 3 {
		t.Fatalf("%d patterns of paths, want those of PropName, MeasuredProp and BreakdownPropName", len(found))
	}
	all := make([]*regexp.Regexp, len(found))
	for i, f := range found {
		all[i] = regexp.MustCompile(string(f[1]))
	}
	return all
}

// FuzzPath holds the reader to the pattern of the contract, and the writer to the reader.
func FuzzPath(f *testing.F) {
	for _, text := range []string{"a", "a.b[0][].c", `a\.b`, `a\\`, `a\x`, "a[1", "a]b", `\[`, "a.b\\"} {
		f.Add(text)
	}
	contract := patterns(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := events.ParsePath(text)
		if utf8.ValidString(text) {
			for _, pattern := range contract {
				if matches := pattern.MatchString(text); matches != (err == nil) {
					t.Fatalf("%q: %v, but the pattern %v says %t", text, err, pattern, matches)
				}
			}
		}
		if err != nil {
			return
		}
		again, err := events.ParsePath(p.String())
		if err != nil || !slices.Equal(p, again) {
			t.Fatalf("%q is %v, written %q and then %v, %v", text, p, p.String(), again, err)
		}
	})
}

func TestAnyNameIsAStepOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "a.b", "a[0]", `\`, `a\`, `\\.`, ".", "[]", "..", `a\.b`} {
		p, err := events.ParsePath(events.EscapeMember(name))
		if err != nil || len(p) != 1 || p[0].Member != name {
			t.Errorf("%q is %v, %v", name, p, err)
		}
	}
}
