package config

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/joho/godotenv"
)

const prefix = "NIMBUS_"

// Load reads the settings: flags (args) over the environment over the .env file in the working directory. It returns
// the arguments that are not flags. The error joins every problem, one a line.
func Load(fset *flag.FlagSet, args []string, environ []string) (*Config, []string, error) {
	c := defaults()
	env, err := environment(environ)
	problems := []error{err}
	known := make(map[string]bool)
	table := c.settings()
	for k := range table {
		s := &table[k]
		known[prefix+s.name] = true
		if v, ok := env[prefix+s.name]; ok && v != "" {
			if err := s.value.Set(v); err != nil {
				problems = append(problems, fmt.Errorf("%s%s %w", prefix, s.name, err))
			}
		}
		fset.Var(s.value, s.flagName(), fmt.Sprintf("%s (%s%s)", s.usage, prefix, s.name))
	}
	if err := fset.Parse(args); err != nil {
		return nil, nil, err
	}
	for name := range env {
		if strings.HasPrefix(name, prefix) && !known[name] && !strings.HasPrefix(name, prefix+"TEST_") {
			problems = append(problems, fmt.Errorf("%s is not a setting of Nimbus; is it misspelt?", name))
		}
	}
	c.jwtSecretSet, c.secretKeySet = c.JWTSecret != "", c.SecretKey != nil
	if c.AdminAddr == "off" {
		c.AdminAddr = ""
	}
	problems = append(problems, c.problems()...)
	if err := errors.Join(problems...); err != nil {
		return nil, nil, err
	}
	return &c, fset.Args(), nil
}

// environment merges the .env file, if there is one, under the process's own variables.
func environment(environ []string) (map[string]string, error) {
	env, err := godotenv.Read(".env")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read .env: %w", err)
	}
	if env == nil {
		env = make(map[string]string)
	}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env, nil
}

// problems checks what a setting's own type cannot.
func (c *Config) problems() []error {
	var out []error
	bad := func(name, format string, args ...any) {
		out = append(out, fmt.Errorf(prefix+name+" "+format, args...))
	}
	if c.Environment != "development" && c.Environment != "production" {
		bad("ENVIRONMENT", "must be development or production, not %q", c.Environment)
	}
	for name, addr := range map[string]string{"ADDR": c.Addr, "ADMIN_ADDR": c.AdminAddr} {
		if addr == "" && name == "ADMIN_ADDR" {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			bad(name, "must be host:port, such as 127.0.0.1:8080 or :8080, not %q", addr)
		}
	}
	if c.DBPoolSize < 4 || c.DBPoolSize > 1000 {
		bad("DB_POOL_SIZE", "must be 4 to 1000, not %d", c.DBPoolSize)
	}
	if c.BcryptCost < 4 || c.BcryptCost > 16 || c.Production() && c.BcryptCost < 10 {
		bad("BCRYPT_COST", "must be 10 to 16 (in development from 4), not %d", c.BcryptCost)
	}
	if c.RefreshTTL <= c.AccessTTL {
		bad("JWT_REFRESH_TTL_SECONDS", "must be longer than JWT_ACCESS_TTL_SECONDS")
	}
	if c.AccessTTL > 24*time.Hour {
		bad("JWT_ACCESS_TTL_SECONDS", "must be at most 86400: an access token cannot be taken back everywhere at once")
	}
	for _, o := range c.AllowedOrigins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "") {
			bad("ALLOWED_ORIGINS", "must be origins such as https://app.example.com, or *; not %q", o)
		}
	}
	if c.AnalyticsDatabaseURL != "" && c.DatabaseURL == "" {
		bad("ANALYTICS_DATABASE_URL", "needs DATABASE_URL: the embedded database has no replica")
	}
	if c.DataDir == "" {
		bad("DATA_DIR", "must name a directory")
	}
	return append(out, c.secretProblems()...)
}

const minSecretBytes = 32

func (c *Config) secretProblems() []error {
	var out []error
	if c.jwtSecretSet && len(c.JWTSecret) < minSecretBytes {
		out = append(out, fmt.Errorf("%sJWT_SECRET is %d bytes long and must be at least %d; make one with: openssl rand -hex 32",
			prefix, len(c.JWTSecret), minSecretBytes))
	}
	if c.jwtSecretSet && len(c.JWTSecret) >= minSecretBytes && distinctBytes([]byte(c.JWTSecret)) < 8 {
		out = append(out, fmt.Errorf("%sJWT_SECRET repeats itself and can be guessed; make one with: openssl rand -hex 32", prefix))
	}
	if c.secretKeySet && distinctBytes(c.SecretKey) < 8 {
		out = append(out, fmt.Errorf("%sSECRET_KEY repeats itself and can be guessed; make one with: openssl rand -hex 32", prefix))
	}
	if !c.Production() {
		return out
	}
	if !c.jwtSecretSet {
		out = append(out, fmt.Errorf("%sJWT_SECRET must be set in production; make one with: openssl rand -hex 32", prefix))
	}
	if !c.secretKeySet {
		out = append(out, fmt.Errorf("%sSECRET_KEY must be set in production; make one with: openssl rand -hex 32", prefix))
	}
	return out
}

func distinctBytes(b []byte) int {
	seen := make(map[byte]struct{})
	for _, c := range b {
		seen[c] = struct{}{}
	}
	return len(seen)
}

// secretsFile keeps what was generated, so that tokens and project secrets outlive a restart.
const secretsFile = "secrets.json"

type secrets struct {
	JWTSecret string `json:"jwt_secret"`
	SecretKey string `json:"secret_key"`
}

// EnsureSecrets fills in the secrets that are not set from a file in the data directory, which it makes the first
// time. In production they must be set, so there it does nothing.
func (c *Config) EnsureSecrets() error {
	if c.jwtSecretSet && c.secretKeySet {
		return nil
	}
	path := filepath.Join(c.DataDir, secretsFile)
	var s secrets
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the directory
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s = secrets{JWTSecret: randomHex(), SecretKey: randomHex()}
		if err := writeSecrets(path, s); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("read the generated secrets: %w", err)
	default:
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("%s is damaged: %w; restore it, or set %sJWT_SECRET and %sSECRET_KEY", path, err, prefix, prefix)
		}
	}
	if !c.jwtSecretSet {
		c.JWTSecret = s.JWTSecret
	}
	if !c.secretKeySet {
		if c.SecretKey, err = parseKey(s.SecretKey); err != nil {
			return fmt.Errorf("secret_key in %s %w", path, err)
		}
	}
	return nil
}

// writeSecrets writes the file whole or not at all: half a file after a crash would lock everyone out.
func writeSecrets(path string, s secrets) error {
	// 0711: the embedded PostgreSQL may run as another user and must reach its own directory inside.
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make the data directory: %w", err)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the generated secrets: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), secretsFile+".*") // 0600
	if err != nil {
		return fmt.Errorf("keep the generated secrets: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone after the rename
	if _, err = f.Write(append(b, '\n')); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep the generated secrets: %w", err)
	}
	return nil
}

func randomHex() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
