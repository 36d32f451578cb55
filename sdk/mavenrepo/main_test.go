package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestARepositoryIsLaidOutAsClientsAskForIt(t *testing.T) {
	t.Parallel()
	project, out := t.TempDir(), t.TempDir()
	write(t, filepath.Join(project, "pom.xml"), "<project><groupId>a.b</groupId><artifactId>c</artifactId><version>1</version></project>")
	write(t, filepath.Join(out, "index.json"), `{"packages": [{"name": "a.b:c", "version": "0"}, {"name": "other", "sha256": "kept"}]}`)
	write(t, filepath.Join(out, "maven", "a", "b", "c", "0", "c-0.jar"), "an earlier version")
	if err := pack(project, out); err == nil {
		t.Error("what is not built was packed")
	}
	write(t, filepath.Join(project, "target", "c-1.jar"), "jar")
	write(t, filepath.Join(project, "target", "c-1-sources.jar"), "sources")
	for range 2 { // packing again changes nothing
		if err := pack(project, out); err != nil {
			t.Fatal(err)
		}
	}
	at := filepath.Join(out, "maven", "a", "b", "c")
	for name, want := range map[string]string{
		"1/c-1.jar": "jar", "1/c-1-sources.jar": "sources", "1/c-1.pom": read(t, filepath.Join(project, "pom.xml")),
		"1/c-1.jar.sha1": "f92e777f4341930bad9b2422283c4680d00dbc06", // printf jar | sha1sum
	} {
		if got := read(t, filepath.Join(at, filepath.FromSlash(name))); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	for name, want := range map[string]int{"1/c-1-sources.jar.md5": 32, "1/c-1.pom.sha256": 64, "maven-metadata.xml.sha512": 128} {
		if got := read(t, filepath.Join(at, filepath.FromSlash(name))); len(got) != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if got := read(t, filepath.Join(at, "maven-metadata.xml")); !strings.Contains(got, "<release>1</release>") {
		t.Errorf("the list of versions is %s", got)
	}
	if _, err := os.Stat(filepath.Join(at, "0")); err == nil {
		t.Error("the earlier version stays")
	}
	index := read(t, filepath.Join(out, "index.json"))
	if strings.Count(index, "a.b:c") != 1 || !strings.Contains(index, `"sha256": "kept"`) || !strings.Contains(index, "/sdk/maven/a/b/c/1/c-1.jar") {
		t.Errorf("the list is %s", index)
	}
}
