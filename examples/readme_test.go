// Package examples holds what the documentation shows to what it promises.
package examples

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The first thing a newcomer pastes must work as it stands.
func TestTheCurlsOfTheREADMEWork(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	url := apptest.Boot(t).URL
	// One script, because the later blocks go on with what the first has found out.
	var script strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(block[1], "curl") {
			script.WriteString(strings.ReplaceAll(block[1], "http://127.0.0.1:8080", url))
		}
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script.String()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script.String(), out)
	}
	for _, want := range []string{`"accepted":1`, `"metric":"events.count"`, `"metric":"events.users"`, `"counts":[1,0]`, `"name":"Readers who sign up"`, `"text":"Version 3.2 is out"`, `"props":{"name":"Ada","plan":"pro"}}],"next_cursor":null,"total":1`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in the answers: %s", want, out)
		}
	}
	// The two metrics of the one event, and the one person.
	if n := strings.Count(string(out), `"total":1`); n != 3 {
		t.Errorf("%d answers have a total of 1, want 3: %s", n, out)
	}
}
