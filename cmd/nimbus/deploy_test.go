package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/bahagh/nimbus/internal/platform/config"
)

// No image can be pulled where the tests run, so they hold the files of the deployment to the program and to each other.

func file(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type compose struct {
	Services map[string]struct {
		Image      string
		Profiles   []string
		Entrypoint []string
		MemLimit   string `yaml:"mem_limit"`
		Logging    struct {
			Driver  string
			Options map[string]string
		}
		Environment map[string]string
		EnvFile     []struct{ Path string } `yaml:"env_file"`
		Volumes     []string
		Ports       []string
		Networks    memberships
		DependsOn   any           `yaml:"depends_on"`
		StopGrace   time.Duration `yaml:"stop_grace_period"`
	}
	Networks map[string]struct {
		Internal bool
		IPAM     struct{ Config []struct{ Subnet string } }
	}
	Volumes map[string]any
}

// memberships are the networks of a service, with its address where it has a fixed one.
type memberships map[string]string

func (m *memberships) UnmarshalYAML(node *yaml.Node) error {
	*m = memberships{}
	var names []string
	if node.Decode(&names) == nil {
		for _, n := range names {
			(*m)[n] = ""
		}
		return nil
	}
	var of map[string]struct {
		Address string `yaml:"ipv4_address"`
	}
	err := node.Decode(&of)
	for n, x := range of {
		(*m)[n] = x.Address
	}
	return err
}

// expand puts in what Compose would: of ${NAME}, ${NAME:-otherwise} and ${NAME:?message}, the innermost first.
func expand(t *testing.T, value string, given map[string]string) string {
	t.Helper()
	variable := regexp.MustCompile(`\$\{(\w+)(:[-?][^{}]*)?\}`)
	for variable.MatchString(value) {
		value = variable.ReplaceAllStringFunc(value, func(v string) string {
			m := variable.FindStringSubmatch(v)
			if got, ok := given[m[1]]; ok {
				return got
			}
			fallback, ok := strings.CutPrefix(m[2], ":-")
			if !ok {
				t.Errorf("nobody gives %s", v)
			}
			return fallback
		})
	}
	return value
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	if err := yaml.Unmarshal([]byte(file(t, "docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheImageIsBuiltWithTheGoOfTheModuleFromAllItNeeds(t *testing.T) {
	t.Parallel()
	dockerfile := file(t, "Dockerfile")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(file(t, "go.mod"))[1]
	if !strings.Contains(dockerfile, "FROM golang:"+version+"-") {
		t.Errorf("go.mod says %s, the Dockerfile says something else", version)
	}
	settings := (&config.Config{}).Redacted()
	for _, name := range regexp.MustCompile(`NIMBUS_[A-Z0-9_]+=`).FindAllString(dockerfile, -1) {
		if _, ok := settings[strings.TrimSuffix(name, "=")]; !ok {
			t.Errorf("%s is no setting", name)
		}
	}

	var included, excluded []string
	for _, line := range strings.Split(strings.TrimSpace(file(t, ".dockerignore")), "\n") {
		switch {
		case strings.HasPrefix(line, "!"):
			included = append(included, line[1:])
		case strings.HasPrefix(line, "**/"):
			excluded = append(excluded, line[3:])
		case line != "*" && !strings.HasPrefix(line, "#"):
			t.Errorf("this test does not understand %q in .dockerignore", line)
		}
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,GoFiles,EmbedFiles,Standard", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	needed := []string{"go.mod", "go.sum", "sdk/go/go.mod", "sdk/go/go.sum"}
	for d := json.NewDecoder(strings.NewReader(string(list))); d.More(); {
		var p struct {
			Dir                 string
			GoFiles, EmbedFiles []string
			Standard            bool
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, p.Dir)
		if err != nil || p.Standard || !filepath.IsLocal(rel) {
			continue
		}
		for _, f := range slices.Concat(p.GoFiles, p.EmbedFiles) {
			needed = append(needed, filepath.ToSlash(filepath.Join(rel, f)))
		}
	}
	if len(needed) < 50 {
		t.Fatalf("only %d files", len(needed))
	}
	for _, f := range needed {
		in := slices.ContainsFunc(included, func(p string) bool { return f == p || strings.HasPrefix(f, p+"/") })
		out := slices.ContainsFunc(strings.Split(f, "/"), func(part string) bool {
			return slices.ContainsFunc(excluded, func(p string) bool { ok, err := filepath.Match(p, part); return ok || err != nil })
		})
		if !in || out {
			t.Errorf("the build needs %s, and .dockerignore leaves it out", f)
		}
	}
}

func TestComposeGivesTheServersValidSettingsAndNoSecretOfItsOwn(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	given := map[string]string{"POSTGRES_PASSWORD": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "NIMBUS_JWT_SECRET": keyA, "NIMBUS_SECRET_KEY": keyB}
	for _, name := range []string{"api1", "api2", "backup"} {
		s, ok := c.Services[name]
		if !ok {
			t.Fatalf("there is no service %s", name)
		}
		if len(s.EnvFile) != 1 || s.EnvFile[0].Path != ".env" {
			t.Errorf("%s does not get the settings of .env", name)
		}
		settings := []string{"NIMBUS_BCRYPT_COST="} // the default, and not the cheap one of the tests
		for key, value := range s.Environment {
			settings = append(settings, key+"="+expand(t, value, given))
		}
		got := nimbus(t, settings, "check-config")
		if got.code != 0 || !strings.Contains(got.stdout, "NIMBUS_ENVIRONMENT=production\n") ||
			!strings.Contains(got.stdout, "NIMBUS_DATABASE_URL=postgres://nimbus:xxxxx@postgres:5432/nimbus?sslmode=disable\n") ||
			!strings.Contains(got.stdout, "NIMBUS_REDIS_URL=redis://redis:6379\n") ||
			!strings.Contains(got.stdout, "NIMBUS_TRUSTED_PROXIES="+c.Services["proxy"].Networks["internal"]+"/32\n") {
			t.Errorf("%s: %d\n%s%s", name, got.code, got.stdout, got.stderr)
		}
		for _, secret := range []string{"NIMBUS_JWT_SECRET", "NIMBUS_SECRET_KEY"} {
			if !strings.HasPrefix(s.Environment[secret], "${"+secret+":?") {
				t.Errorf("%s starts without %s", name, secret)
			}
		}
		var shutdown time.Duration
		for line := range strings.Lines(got.stdout) {
			for _, setting := range []string{"NIMBUS_SHUTDOWN_TIMEOUT_SECONDS=", "NIMBUS_DRAIN_SECONDS="} {
				if v, ok := strings.CutPrefix(line, setting); ok {
					part, err := time.ParseDuration(strings.TrimSpace(v) + "s")
					if err != nil || part <= 0 {
						t.Errorf("%s: %s", name, line)
					}
					shutdown += part
				}
			}
		}
		if shutdown <= 0 || s.StopGrace <= shutdown {
			t.Errorf("%s is killed after %s and may need %s to stop", name, s.StopGrace, shutdown)
		}
	}
	if !strings.HasPrefix(c.Services["postgres"].Environment["POSTGRES_PASSWORD"], "${POSTGRES_PASSWORD:?") {
		t.Error("the database has a password that everyone knows")
	}
}

func TestOnlyTheProxyAndTheDashboardsAreReachedFromOutside(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	api := c.Services["api1"].Environment
	proxy, prometheus := file(t, "deploy", "Caddyfile"), file(t, "deploy", "prometheus.yml")
	for _, name := range []string{"api1", "api2"} {
		if !strings.Contains(proxy, name+api["NIMBUS_ADDR"]) || strings.Contains(proxy, name+api["NIMBUS_ADMIN_ADDR"]) {
			t.Errorf("the proxy does not forward to %s, or to its admin listener", name)
		}
		if !strings.Contains(prometheus, name+api["NIMBUS_ADMIN_ADDR"]) {
			t.Errorf("Prometheus does not scrape %s", name)
		}
	}
	if !strings.Contains(proxy, "health_uri /readiness\n") {
		t.Error("the proxy does not ask whether a server is ready")
	}
	if !c.Networks["internal"].Internal {
		t.Error("the internal network has a way out")
	}
	for name, s := range c.Services {
		public := name == "proxy" || name == "prometheus" || name == "grafana"
		_, outside := s.Networks["outside"]
		_, internal := s.Networks["internal"]
		// The nodes reach a provider of identities, databases or traces; nothing but they and what publishes a port has a way out.
		if (len(s.Ports) > 0) != public || outside != (public || strings.HasPrefix(s.Image, "nimbus:")) || !internal {
			t.Errorf("%s: ports %q, networks %q", name, s.Ports, s.Networks)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s listens beyond this machine: %s", name, p)
			}
		}
		if s.Image == "" || strings.HasSuffix(s.Image, ":latest") || !strings.Contains(s.Image, ":") {
			t.Errorf("%s: image %q", name, s.Image)
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if path, ok := strings.CutPrefix(from, "./"); ok {
				if _, err := os.Stat(filepath.Join("..", "..", path)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, ok := c.Volumes[from]; !ok {
				t.Errorf("%s: there is no volume %s", name, from)
			}
		}
	}
}

// A container that nobody looks after fills neither the memory of the machine nor its disk.
func TestEveryServiceOfComposeHasBoundsOfMemoryAndLogs(t *testing.T) {
	t.Parallel()
	for name, s := range readCompose(t).Services {
		if !regexp.MustCompile(`^\d+[mg]$`).MatchString(s.MemLimit) {
			t.Errorf("%s: memory %q", name, s.MemLimit)
		}
		if s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("%s: its log grows without end: %+v", name, s.Logging)
		}
	}
}

// A managed database or Redis is named in .env, and its authority's certificate has a place.
func TestComposeTakesTheDatabaseOfAProvider(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	given := map[string]string{"POSTGRES_PASSWORD": "p", "NIMBUS_DATABASE_URL": "postgres://db.example.com/nimbus", "NIMBUS_REDIS_URL": "rediss://redis.example.com"}
	for _, name := range []string{"api1", "api2", "backup"} {
		s := c.Services[name]
		for _, setting := range []string{"NIMBUS_DATABASE_URL", "NIMBUS_REDIS_URL"} {
			if got := expand(t, s.Environment[setting], given); got != given[setting] {
				t.Errorf("%s: %s is %q", name, setting, got)
			}
		}
		if !slices.Contains(s.Volumes, "./deploy/certs:/etc/nimbus/certs:ro") {
			t.Errorf("%s has no place for a certificate: %q", name, s.Volumes)
		}
	}
}

// The job of backups is started by its name only, and writes to a volume that its account may write to.
func TestComposeHasAJobForBackups(t *testing.T) {
	t.Parallel()
	s := readCompose(t).Services["backup"]
	if !slices.Equal(s.Entrypoint, []string{"/nimbus", "backup"}) || len(s.Profiles) != 1 || !slices.Contains(s.Volumes, "backups:/backups") {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(file(t, "Dockerfile"), "--chown=65532:65532 /out/backups /backups") {
		t.Error("the volume of the backups belongs to root, and Nimbus is not")
	}
}
