// Command mavenrepo lays out what Maven has built of sdk/kotlin as a Maven repository, which the server embeds: the jars, the
// pom, their checksums and the list of versions. It notes the jar in index.json beside the other SDKs.
//
//	go run ./sdk/mavenrepo -project sdk/kotlin -out sdk/dist
package main

import (
	"crypto/md5"  //nolint:gosec // Maven's clients check it
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func main() {
	project := flag.String("project", "", "the folder with pom.xml and target")
	out := flag.String("out", "", "the folder that is embedded")
	flag.Parse()
	if *project == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := pack(*project, *out); err != nil {
		fmt.Fprintf(os.Stderr, "mavenrepo: %v\n", err)
		os.Exit(1)
	}
}

// coordinates name an artifact.
type coordinates struct {
	Group    string `xml:"groupId"`
	Artifact string `xml:"artifactId"`
	Version  string `xml:"version"`
}

// folder is where the artifact lies in a repository.
func (c *coordinates) folder() string {
	return path.Join("maven", strings.ReplaceAll(c.Group, ".", "/"), c.Artifact)
}

func pack(project, out string) error {
	pom, err := os.ReadFile(filepath.Join(project, "pom.xml"))
	if err != nil {
		return err
	}
	var c coordinates
	if err := xml.Unmarshal(pom, &c); err != nil {
		return fmt.Errorf("pom.xml: %w", err)
	}
	base := c.Artifact + "-" + c.Version
	at := path.Join(c.folder(), c.Version, base)
	files := map[string][]byte{at + ".pom": pom, path.Join(c.folder(), "maven-metadata.xml"): metadata(&c)}
	for _, end := range []string{".jar", "-sources.jar"} {
		if files[at+end], err = os.ReadFile(filepath.Join(project, "target", base+end)); err != nil {
			return fmt.Errorf("it is not built (mvn package): %w", err)
		}
	}
	if err := os.RemoveAll(filepath.Join(out, "maven")); err != nil {
		return err
	}
	for name, body := range files {
		if err := writeWithSums(filepath.Join(out, filepath.FromSlash(name)), body); err != nil {
			return err
		}
	}
	sum := sha512.Sum512(files[at+".jar"])
	return list(filepath.Join(out, "index.json"), entry{Name: c.Group + ":" + c.Artifact, Version: c.Version, Path: "/sdk/" + at + ".jar",
		Integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:])})
}

// metadata lists the one version that this server has. It has no time, so that the same sources give the same bytes.
func metadata(c *coordinates) []byte {
	return fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata>\n  <groupId>%s</groupId>\n  <artifactId>%s</artifactId>\n"+
		"  <versioning>\n    <latest>%[3]s</latest>\n    <release>%[3]s</release>\n    <versions>\n      <version>%[3]s</version>\n    </versions>\n"+
		"  </versioning>\n</metadata>\n", c.Group, c.Artifact, c.Version)
}

// writeWithSums writes a file and the checksums that Maven and Gradle ask for.
func writeWithSums(name string, body []byte) error {
	md5sum, sha1sum := md5.Sum(body), sha1.Sum(body) //nolint:gosec // as above
	sha256sum, sha512sum := sha256.Sum256(body), sha512.Sum512(body)
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return err
	}
	err := os.WriteFile(name, body, 0o644)
	for end, sum := range map[string][]byte{".md5": md5sum[:], ".sha1": sha1sum[:], ".sha256": sha256sum[:], ".sha512": sha512sum[:]} {
		err = errors.Join(err, os.WriteFile(name+end, []byte(hex.EncodeToString(sum)), 0o644))
	}
	return err
}

// entry is a package in index.json.
type entry struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Path      string `json:"path"`
	Integrity string `json:"integrity"`
}

// list puts an entry into index.json in place of the one of its name; the others stay as they are.
func list(file string, e entry) error {
	var index struct {
		Packages []json.RawMessage `json:"packages"`
	}
	old, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(old, &index)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", file, err)
	}
	own, err := json.Marshal(e)
	if err != nil {
		return err
	}
	kept := []json.RawMessage{}
	for _, other := range index.Packages {
		var named entry
		if err := json.Unmarshal(other, &named); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if named.Name != e.Name {
			kept = append(kept, other)
		}
	}
	index.Packages = append(kept, own)
	b, err := json.MarshalIndent(&index, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
