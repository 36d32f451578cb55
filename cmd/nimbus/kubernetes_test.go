package main_test

import (
	"errors"
	"io"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/bahagh/nimbus/internal/platform/config"
)

// manifest is what these tests look at in an object of Kubernetes.
type manifest struct {
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Data map[string]string
	Spec struct {
		Replicas     int
		Selector     map[string]any
		MinAvailable int `yaml:"minAvailable"`
		Deadline     int `yaml:"progressDeadlineSeconds"`
		Ingress      []struct {
			From, Ports []any
		}
		PodSelector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"podSelector"`
		Template struct {
			Metadata struct {
				Labels      map[string]string
				Annotations map[string]string
			}
			Spec struct {
				Grace      int   `yaml:"terminationGracePeriodSeconds"`
				Links      *bool `yaml:"enableServiceLinks"`
				Containers []struct {
					Ports []struct {
						Name string
						Port int `yaml:"containerPort"`
					}
					Startup   probe `yaml:"startupProbe"`
					Liveness  probe `yaml:"livenessProbe"`
					Readiness probe `yaml:"readinessProbe"`
				}
			}
		}
	}
}

type probe struct {
	HTTPGet  struct{ Path, Port string } `yaml:"httpGet"`
	Period   int                         `yaml:"periodSeconds"`
	Failures int                         `yaml:"failureThreshold"`
}

func TestKubernetesRunsWhatTheProgramServes(t *testing.T) {
	t.Parallel()
	objects := map[string]manifest{}
	for d := yaml.NewDecoder(strings.NewReader(file(t, "deploy", "kubernetes", "nimbus.yaml"))); ; {
		var m manifest
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Metadata.Name != "nimbus" {
			t.Errorf("%s is called %q", m.Kind, m.Metadata.Name)
		}
		objects[m.Kind] = m
	}
	deployment, settings := objects["Deployment"].Spec, objects["ConfigMap"].Data
	c := deployment.Template.Spec.Containers[0]
	environ := []string{"NIMBUS_BCRYPT_COST=", "NIMBUS_JWT_SECRET=" + keyA, "NIMBUS_SECRET_KEY=" + keyB}
	for name, value := range settings {
		environ = append(environ, name+"="+value)
	}
	for _, m := range regexp.MustCompile(`from-literal=(\w+)='([^']+)'`).FindAllStringSubmatch(file(t, "deploy", "kubernetes", "nimbus.yaml"), -1) {
		environ = append(environ, m[1]+"="+m[2])
	}
	// Unless it is told not to, Kubernetes adds what it knows of the Service nimbus to every pod of its namespace.
	if links := deployment.Template.Spec.Links; links == nil || *links {
		environ = append(environ, "NIMBUS_SERVICE_HOST=10.96.0.12", "NIMBUS_SERVICE_PORT=80", "NIMBUS_PORT=tcp://10.96.0.12:80")
	}
	if got := nimbus(t, environ, "check-config"); got.code != 0 || !strings.Contains(got.stdout, "NIMBUS_ENVIRONMENT=production\n") ||
		!strings.Contains(got.stdout, "NIMBUS_REDIS_URL=rediss://") || strings.Contains(got.stdout, "NIMBUS_TRUSTED_PROXIES=\n") {
		t.Errorf("%v: %d %s%s", environ, got.code, got.stdout, got.stderr)
	}
	for _, port := range c.Ports {
		setting := map[string]string{"http": "NIMBUS_ADDR", "admin": "NIMBUS_ADMIN_ADDR"}[port.Name]
		if settings[setting] != ":"+strconv.Itoa(port.Port) {
			t.Errorf("port %s is %d, and %s is %q", port.Name, port.Port, setting, settings[setting])
		}
	}
	if c.Startup.HTTPGet.Path != "/health" || c.Liveness.HTTPGet.Path != "/health" || c.Readiness.HTTPGet.Path != "/readiness" {
		t.Errorf("probes %+v, %+v, %+v", c.Startup, c.Liveness, c.Readiness)
	}
	if deployment.Template.Metadata.Annotations["prometheus.io/port"] != strings.TrimPrefix(settings["NIMBUS_ADMIN_ADDR"], ":") {
		t.Error("Prometheus is sent to another port than that of the metrics")
	}
	drain, err := strconv.Atoi(settings["NIMBUS_DRAIN_SECONDS"])
	if noticed := c.Readiness.Period * c.Readiness.Failures; err != nil || drain <= noticed {
		t.Errorf("a pod ends listening after %q s, and Kubernetes notices after %d", settings["NIMBUS_DRAIN_SECONDS"], noticed)
	}
	// A migration may take long, and nobody who waits for it gives up before it has ended.
	if waits := c.Startup.Period * c.Startup.Failures; waits < 24*3600 || deployment.Deadline < waits {
		t.Errorf("a migration may take %d s, the rollout is given up after %d", waits, deployment.Deadline)
	}
	// Whoever reaches the port from a trusted address says who the sender is: only the ingress controller does.
	for _, rule := range objects["NetworkPolicy"].Spec.Ingress {
		if len(rule.From) == 0 {
			t.Errorf("every pod reaches %v", rule.Ports)
		}
	}
	if proxies, err := netip.ParsePrefix(settings["NIMBUS_TRUSTED_PROXIES"]); err != nil || proxies.Bits() < 16 {
		t.Errorf("trusted proxies %s, %v: wider than a network of pods", settings["NIMBUS_TRUSTED_PROXIES"], err)
	}
	if grace, needed := deployment.Template.Spec.Grace, drain+shutdownSeconds(t); grace <= needed {
		t.Errorf("a pod is killed after %d s and may need %d", grace, needed)
	}
	labels := deployment.Template.Metadata.Labels
	for kind, selector := range map[string]any{"Deployment": deployment.Selector["matchLabels"], "Service": objects["Service"].Spec.Selector,
		"PodDisruptionBudget": objects["PodDisruptionBudget"].Spec.Selector["matchLabels"], "NetworkPolicy": objects["NetworkPolicy"].Spec.PodSelector.MatchLabels} {
		got := map[string]string{}
		for iter := reflect.ValueOf(selector).MapRange(); iter.Next(); {
			got[iter.Key().String()], _ = iter.Value().Interface().(string)
		}
		if !reflect.DeepEqual(got, labels) {
			t.Errorf("%s selects %v, the pods have %v", kind, got, labels)
		}
	}
	if b := objects["PodDisruptionBudget"].Spec.MinAvailable; b < 1 || b >= deployment.Replicas {
		t.Errorf("of %d pods %d must stay: a node of the cluster could not be emptied, or all pods could go", deployment.Replicas, b)
	}
}

func TestTheUnitGivesValidSettingsAndTimeToStop(t *testing.T) {
	t.Parallel()
	unit := file(t, "deploy", "systemd", "nimbus.service")
	known := (&config.Config{}).Redacted()
	for _, m := range regexp.MustCompile(`(?m)^Environment=(\w+)=`).FindAllStringSubmatch(unit, -1) {
		if _, ok := known[m[1]]; !ok {
			t.Errorf("%s is no setting", m[1])
		}
	}
	stop, err := strconv.Atoi(regexp.MustCompile(`TimeoutStopSec=(\d+)`).FindStringSubmatch(unit)[1])
	const postgres = 30 // the embedded PostgreSQL, after the server
	if needed := shutdownSeconds(t) + postgres; err != nil || stop <= needed {
		t.Errorf("it is killed after %d s and may need %d", stop, needed)
	}
}

// shutdownSeconds is the default of NIMBUS_SHUTDOWN_TIMEOUT_SECONDS.
func shutdownSeconds(t *testing.T) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^NIMBUS_SHUTDOWN_TIMEOUT_SECONDS=(\d+)$`).FindStringSubmatch(nimbus(t, nil, "check-config").stdout)
	if m == nil {
		t.Fatal("check-config does not say how long a stop may take")
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
