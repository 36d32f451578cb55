package config

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestMain doubles as one of the processes that race for the secrets of a data directory.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CONFIG_TEST_ENSURE_SECRETS"); dir != "" {
		c := Config{DataDir: dir}
		if err := c.EnsureSecrets(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString(c.JWTSecret + " " + hex.EncodeToString(c.SecretKey))
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

func ensure(t *testing.T, c Config) Config {
	t.Helper()
	if err := c.EnsureSecrets(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSecretsAreMadeOnceForTheOwnerAloneAndThenReused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	first := ensure(t, Config{DataDir: dir})
	if len(first.JWTSecret) < minSecretBytes || len(first.SecretKey) != 32 {
		t.Fatalf("%d and %d bytes", len(first.JWTSecret), len(first.SecretKey))
	}
	info, err := os.Stat(filepath.Join(dir, secretsFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if again := ensure(t, Config{DataDir: dir}); again.JWTSecret != first.JWTSecret || !bytes.Equal(again.SecretKey, first.SecretKey) {
		t.Error("a restart has other secrets")
	}
	if other := ensure(t, Config{DataDir: t.TempDir()}); other.JWTSecret == first.JWTSecret || bytes.Equal(other.SecretKey, first.SecretKey) {
		t.Error("two directories have the same secrets")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("something was left behind: %v, %v", files, err)
	}
}

func TestAGivenSecretCountsOverTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := ensure(t, Config{DataDir: dir})
	c := ensure(t, Config{DataDir: dir, JWTSecret: "given", jwtSecretSet: true})
	if c.JWTSecret != "given" || !bytes.Equal(c.SecretKey, made.SecretKey) {
		t.Error("a given NIMBUS_JWT_SECRET")
	}
	c = ensure(t, Config{DataDir: dir, SecretKey: []byte("given"), secretKeySet: true})
	if string(c.SecretKey) != "given" || c.JWTSecret != made.JWTSecret {
		t.Error("a given NIMBUS_SECRET_KEY")
	}
	dir = filepath.Join(t.TempDir(), "untouched")
	ensure(t, Config{DataDir: dir, SecretKey: []byte("given"), secretKeySet: true, JWTSecret: "given", jwtSecretSet: true})
	if _, err := os.Stat(dir); err == nil {
		t.Error("nothing was to be generated, and yet a directory was made")
	}
}

// Inventing new secrets in place of damaged ones would make every project secret unreadable.
func TestADamagedSecretsFileIsExplainedAndKept(t *testing.T) {
	t.Parallel()
	good, err := json.Marshal(secrets{JWTSecret: keyA, SecretKey: keyB})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty": "", "cut off": string(good[:len(good)-9]), "without members": "{}", "a short secret": `{"jwt_secret":"x","secret_key":"` + keyB + `"}`,
		"a cut key": `{"jwt_secret":"` + keyA + `","secret_key":"` + keyB[:60] + `"}`, "another type": "[]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, secretsFile)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			c := Config{DataDir: dir}
			err := c.EnsureSecrets()
			if err == nil || !strings.HasPrefix(err.Error(), path+" is damaged: ") ||
				!strings.HasSuffix(err.Error(), "; restore it, or set NIMBUS_JWT_SECRET and NIMBUS_SECRET_KEY") {
				t.Errorf("%v", err)
			} else if strings.Contains(err.Error(), keyA) || strings.Contains(err.Error(), keyB[:60]) {
				t.Errorf("the error repeats a secret: %v", err)
			}
			if c.JWTSecret != "" || c.SecretKey != nil {
				t.Error("half of the secrets is in force")
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != content {
				t.Errorf("the file was changed: %q, %v", b, err)
			}
		})
	}
}

func TestADirectoryThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		c := Config{DataDir: dir}
		if err := c.EnsureSecrets(); err == nil {
			t.Errorf("%s was taken", dir)
		}
	}
}

func TestProcessesThatRaceEndWithTheSameSecrets(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		dir := filepath.Join(t.TempDir(), "data")
		got := make([]string, 6)
		var wg sync.WaitGroup
		for k := range got {
			wg.Go(func() {
				cmd := exec.CommandContext(t.Context(), exe)
				cmd.Env = append(os.Environ(), "CONFIG_TEST_ENSURE_SECRETS="+dir)
				b, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%v: %s", err, b)
				}
				got[k] = string(b)
			})
		}
		wg.Wait()
		for _, g := range got {
			if len(g) != 129 || g != got[0] {
				t.Errorf("%q and %q", got[0], g)
			}
		}
	}
}

// Processes start milliseconds apart; goroutines meet in the middle of it.
func TestGoroutinesThatRaceEndWithTheSameSecrets(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := filepath.Join(t.TempDir(), "data")
		got := make([]Config, 8)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for k := range got {
			wg.Go(func() {
				<-start
				got[k].DataDir = dir
				if err := got[k].EnsureSecrets(); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		for k := range got {
			if got[k].JWTSecret != got[0].JWTSecret || !bytes.Equal(got[k].SecretKey, got[0].SecretKey) {
				t.Fatal("different secrets on one directory")
			}
		}
	}
}
