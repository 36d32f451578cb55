package nimbus_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The first thing a newcomer pastes must work as it stands.
func TestTheFirstProgramOfTheREADMERuns(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(readme(t), "```go\n")
	program, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("there is none")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	s := scripted(t, `{}`)
	run := exec.CommandContext(t.Context(), "go", "run", file)
	run.Env = append(os.Environ(), "NIMBUS_URL="+s.url, "NIMBUS_PROJECT_ID="+project.String(), "NIMBUS_KEY_ID=nk_test", "NIMBUS_SECRET=ns_test")
	if out, err := run.CombinedOutput(); err != nil || string(out) != "events stored: 1\n" {
		t.Fatalf("%v\n%s", err, out)
	}
	r := s.report("").Requests
	if len(r) != 1 || r[0].Signature != "valid" || r[0].names() != "signed_up" || r[0].Events[0].UserID != "user_123" || string(r[0].Events[0].Props) != `{"plan":"pro"}` {
		t.Errorf("requests %+v", r)
	}
}

// The table of options is that of the source, comment by comment.
func TestTheREADMEListsTheOptions(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "Config" {
			return true
		}
		fields, _ := spec.Type.(*ast.StructType)
		for _, f := range fields.Fields.List {
			does, zero, ok := strings.Cut(strings.TrimSpace(f.Comment.Text()), "; ")
			if !ok || strings.Contains(zero, "; ") {
				t.Errorf("the comment of %s does not say what it sets; and what its zero value means", f.Names[0])
			}
			fmt.Fprintf(&want, "| `%s` | %s | %s |\n", f.Names[0], does, zero)
		}
		return false
	})
	_, rest, _ := strings.Cut(readme(t), "| field | what it sets | when it is not set |\n|---|---|---|\n")
	got, _, _ := strings.Cut(rest, "\n\n")
	if want.Len() == 0 || got+"\n" != want.String() {
		t.Errorf("the table is not that of config.go, which is\n%s", &want)
	}
}

func TestTheChangelogBeginsWithTheVersion(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n## ")
	if version, _, _ := strings.Cut(rest, "\n"); version != nimbus.Version {
		t.Errorf("the changelog begins with %q, the version is %s", version, nimbus.Version)
	}
}
