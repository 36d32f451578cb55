package config

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/joho/godotenv"

	"github.com/bahagh/nimbus/internal/platform/durable"
	"github.com/bahagh/nimbus/internal/platform/mail"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
	"github.com/bahagh/nimbus/internal/platform/redis"
	"github.com/bahagh/nimbus/internal/platform/tracing"
)

const prefix = "NIMBUS_"

// ofSenders are the variables in which the documents of the SDKs keep what a sender needs. A shell may have them, too.
var ofSenders = []string{prefix + "URL", prefix + "PROJECT_ID", prefix + "KEY_ID", prefix + "SECRET", prefix + "WRITE_KEY"}

// Load reads the settings: flags (args) over the environment over the .env file in the working directory. It returns
// the arguments that are not flags. The error joins every problem, one a line, and repeats no secret; it is
// flag.ErrHelp when the help was asked for, which then has been written to the output of fset.
func Load(fset *flag.FlagSet, args []string, environ []string) (*Config, []string, error) {
	c := defaults()
	env, err := environment(environ)
	problems := []error{err}
	known := make(map[string]bool)
	table := c.settings()
	for k := range table {
		s := &table[k]
		known[prefix+s.name] = true
		// Before the environment is applied: the help shows defaults, and must not show a secret that is set.
		fset.Var(&flagValue{setting: s, problems: &problems}, s.flagName(), fmt.Sprintf("%s (%s%s)", s.usage, prefix, s.name))
		if v, ok := env[prefix+s.name]; ok && v != "" {
			if err := s.value.Set(v); err != nil {
				problems = append(problems, fmt.Errorf("%s%s %w", prefix, s.name, err))
			}
		}
	}
	if err := parse(fset, args); errors.Is(err, flag.ErrHelp) {
		return nil, nil, err
	} else if err != nil {
		problems = append(problems, err)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, prefix) && !known[name] && !strings.HasPrefix(name, prefix+"TEST_") && !slices.Contains(ofSenders, name) {
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

// parse keeps the flag package from printing: its error is one of many, and it would print the whole help with it.
func parse(fset *flag.FlagSet, args []string) error {
	out := fset.Output()
	fset.SetOutput(io.Discard)
	err := fset.Parse(args)
	fset.SetOutput(out)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintf(out, "Usage of %s:\n", fset.Name()) // like the flag package; there is nobody to tell
		fset.PrintDefaults()
	}
	return err
}

// environment merges the .env file, if there is one, under the process's own variables, which are there even when the
// file is not to be read.
func environment(environ []string) (map[string]string, error) {
	env, err := godotenv.Read(".env")
	var file *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case errors.As(err, &file):
		err = fmt.Errorf("read .env: %w", err)
	case err != nil:
		// The parser's own words quote the rest of the file, secrets and all.
		err = errors.New("read .env: it must have lines such as NIMBUS_ADDR=:8080, with quotation marks in pairs")
	}
	if env == nil {
		env = make(map[string]string)
	}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env, err
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
	if c.LogFormat != "" && c.LogFormat != "json" && c.LogFormat != "text" {
		bad("LOG_FORMAT", "must be json or text, not %q", c.LogFormat)
	}
	if c.Drain < 0 || c.Drain > maxDrain {
		bad("DRAIN_SECONDS", "must be 0 to %d, not %d", maxDrain, c.Drain)
	}
	for _, a := range []struct{ name, addr string }{{"ADDR", c.Addr}, {"ADMIN_ADDR", c.AdminAddr}} {
		if a.addr == "" && a.name == "ADMIN_ADDR" {
			continue
		}
		if !isAddr(a.addr) {
			bad(a.name, "must be host:port, such as 127.0.0.1:8080 or :8080, not %q", a.addr)
		}
	}
	if collide(c.Addr, c.AdminAddr) {
		bad("ADMIN_ADDR", "must have another port than ADDR, not %q", c.AdminAddr)
	}
	for _, d := range []struct{ name, dsn string }{{"DATABASE_URL", c.DatabaseURL}, {"ANALYTICS_DATABASE_URL", c.AnalyticsDatabaseURL}} {
		if d.dsn == "" {
			continue
		}
		_, err := pgconn.ParseConfig(d.dsn)
		var file *fs.PathError
		switch {
		case err == nil:
		case errors.As(err, &file):
			bad(d.name, "names a file that cannot be read: %w", file)
		default: // the parser's own words may quote a part of the password
			bad(d.name, "must be such as postgres://nimbus:password@host:5432/nimbus")
		}
	}
	if c.DBPoolSize < 8 || c.DBPoolSize > 1000 {
		bad("DB_POOL_SIZE", "must be 8 to 1000, not %d", c.DBPoolSize)
	}
	if c.BcryptCost < 4 || c.BcryptCost > 16 || c.Production() && c.BcryptCost < 10 {
		bad("BCRYPT_COST", "must be 10 to 16 (in development from 4), not %d", c.BcryptCost)
	}
	if c.RefreshTTL <= c.AccessTTL {
		bad("JWT_REFRESH_TTL_SECONDS", "must be longer than JWT_ACCESS_TTL_SECONDS")
	}
	if c.AccessTTL > 24*time.Hour {
		bad("JWT_ACCESS_TTL_SECONDS", "must be at most 86400: for that long a token that leaks lets others in")
	}
	if c.QueryTimeout > maxQueryTimeout {
		bad("QUERY_TIMEOUT_SECONDS", "must be at most %d: the request itself ends after 30 s", maxQueryTimeout/time.Second)
	}
	if c.QueryMaxEvents < 1 {
		bad("QUERY_MAX_EVENTS", "must be at least 1, not %d", c.QueryMaxEvents)
	}
	if c.RedisURL != "" {
		if err := redis.Check(c.RedisURL); err != nil {
			bad("REDIS_URL", "%w", err)
		}
	}
	if c.OTLPEndpoint != "" {
		if err := tracing.Check(c.OTLPEndpoint); err != nil {
			bad("OTLP_ENDPOINT", "%w", err)
		}
	}
	if c.RateLimitPerMinute < 1 || c.RateLimitPerMinute > maxRateLimit {
		bad("RATE_LIMIT_PER_MINUTE", "must be 1 to %d, not %d", maxRateLimit, c.RateLimitPerMinute)
	}
	for name, n := range map[string]int{"QUOTA_EVENTS_PER_DAY": c.QuotaEventsPerDay, "QUOTA_STORED_BYTES": c.QuotaStoredBytes, "MIN_FREE_BYTES": c.MinFreeBytes} {
		if n < 0 {
			bad(name, "must be 0 or more, not %d", n)
		}
	}
	if c.QuotaEventNames < 0 || c.QuotaEventNames > maxEventNames {
		bad("QUOTA_EVENT_NAMES", "must be 0 to %d, not %d", maxEventNames, c.QuotaEventNames)
	}
	if c.LiveMaxStreams < 1 || c.LiveMaxStreams > 1_000_000 {
		bad("LIVE_MAX_STREAMS", "must be 1 to 1000000, not %d", c.LiveMaxStreams)
	}
	if c.LiveMaxPerProject < 1 || c.LiveMaxPerProject > 1_000_000 {
		bad("LIVE_MAX_STREAMS_PER_PROJECT", "must be 1 to 1000000, not %d", c.LiveMaxPerProject)
	}
	for _, vendor := range c.Compat {
		if !slices.Contains(defaults().Compat, vendor) && !slices.Equal(c.Compat, []string{"off"}) {
			bad("COMPAT", "must be some of %s, with commas, or off; not %q", strings.Join(defaults().Compat, ", "), vendor)
		}
	}
	for _, o := range c.AllowedOrigins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || o != u.Scheme+"://"+u.Host) {
			bad("ALLOWED_ORIGINS", "must be origins such as https://app.example.com, or *; not %q", o)
		}
	}
	c.oidcProblems(bad)
	c.accessProblems(bad)
	if c.AnalyticsDatabaseURL != "" && c.DatabaseURL == "" {
		bad("ANALYTICS_DATABASE_URL", "needs DATABASE_URL: the embedded database has no replica")
	}
	if c.ReplicaMaxLag < 0 || c.ReplicaMaxLag > 86_400 {
		bad("REPLICA_MAX_LAG_SECONDS", "must be 0 to 86400, not %d", c.ReplicaMaxLag)
	}
	if c.DataDir == "" {
		bad("DATA_DIR", "must name a directory")
	}
	return append(out, c.secretProblems()...)
}

func isAddr(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	return err == nil
}

// collide says that nobody can listen at both addresses.
func collide(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && portA == portB && portA != "0" && (hostA == hostB || hostA == "" || hostB == "")
}

var basePath = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// callbackPath is where the contract has the operation that the provider sends browsers to.
const callbackPath = "/v1/auth/oidc/callback"

func (c *Config) oidcProblems(bad func(name, format string, args ...any)) {
	if c.OIDCIssuer == "" {
		if c.OIDCClientID+c.OIDCClientSecret+c.OIDCRedirectURL+c.OIDCName != "" {
			bad("OIDC_ISSUER", "must be set too: without it nobody can log in with the provider")
		}
		return
	}
	if c.OIDCClientID == "" {
		bad("OIDC_CLIENT_ID", "must be set: the provider knows Nimbus by it")
	}
	u, err := url.Parse(c.OIDCIssuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || c.Production()) || u.RawQuery != "" || u.Fragment != "" {
		bad("OIDC_ISSUER", "must be the provider's https URL, such as https://accounts.example.com (http in development), not %q", c.OIDCIssuer)
	}
	u, err = url.Parse(c.OIDCRedirectURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || c.Production()) || u.Path != c.BasePath+callbackPath || u.RawQuery != "" || u.Fragment != "" {
		bad("OIDC_REDIRECT_URL", "must be https://<where browsers reach Nimbus>%s (http in development), not %q", c.BasePath+callbackPath, c.OIDCRedirectURL)
	}
}

// accessProblems checks who may come in, and how much each may have.
func (c *Config) accessProblems(bad func(name, format string, args ...any)) {
	if !slices.Contains([]string{"", "open", "invite", "closed"}, c.Registration) {
		bad("REGISTRATION", "must be open, invite or closed, not %q", c.Registration)
	}
	for _, d := range c.AllowedEmailDomains {
		if name := strings.TrimPrefix(d, "@"); !strings.Contains(name, ".") || strings.ContainsAny(name, "@ *") {
			bad("ALLOWED_EMAIL_DOMAINS", "must be domains such as example.com, not %q", d)
		}
	}
	if c.SetupToken != "" && len(c.SetupToken) < minSetupTokenBytes {
		bad("SETUP_TOKEN", "must have at least %d characters: whoever guesses it owns the server", minSetupTokenBytes)
	}
	if c.BasePath != "" && !basePath.MatchString(c.BasePath) {
		bad("BASE_PATH", "must be such as /analytics, without a slash at the end, of letters, digits and -._~, not %q", c.BasePath)
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" ||
			c.PublicURL != u.Scheme+"://"+u.Host+u.Path || strings.HasSuffix(c.PublicURL, "/") {
			bad("PUBLIC_URL", "must be such as https://nimbus.example.com or https://example.com/nimbus, without a slash at the end, not %q", c.PublicURL)
		}
	}
	if u, err := url.Parse(c.MCPURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" {
		bad("MCP_URL", "must be such as https://nimbus.example.com, not %q", c.MCPURL)
	}
	if c.SMTPURL != "" {
		if _, err := mail.NewSender(c.SMTPURL, cmp.Or(c.MailFrom, "nimbus@example.com")); err != nil {
			bad("SMTP_URL", "or MAIL_FROM: %w", err)
		}
		if c.MailFrom == "" {
			bad("MAIL_FROM", "must be set: mails come from it")
		}
		if c.PublicURL == "" {
			bad("PUBLIC_URL", "must be set: links in mails begin with it")
		}
	}
	for _, l := range []struct {
		name  string
		value int
	}{{"MAX_PROJECTS_PER_ACCOUNT", c.MaxProjectsPerAccount}, {"MAX_KEYS_PER_PROJECT", c.MaxKeysPerProject},
		{"MAX_MEMBERS_PER_PROJECT", c.MaxMembersPerProject}, {"MAX_INSIGHTS_PER_PROJECT", c.MaxInsightsPerProject},
		{"MAX_BOARDS_PER_PROJECT", c.MaxBoardsPerProject}, {"MAX_ANNOTATIONS_PER_PROJECT", c.MaxAnnotationsPerProject},
		{"MAX_CUSTOM_EVENTS_PER_PROJECT", c.MaxCustomEventsPerProject}, {"MAX_COHORTS_PER_PROJECT", c.MaxCohortsPerProject}} {
		if l.value < 1 || l.value > maxOfEach {
			bad(l.name, "must be 1 to %d, not %d: the lists are read whole", maxOfEach, l.value)
		}
	}
	if c.MaxCohortPeople < 1 || c.MaxCohortPeople > maxCohortPeople {
		bad("MAX_COHORT_PEOPLE", "must be 1 to %d, not %d: a list is exported whole", maxCohortPeople, c.MaxCohortPeople)
	}
	if c.AuditRetention < 30*24*time.Hour {
		bad("AUDIT_RETENTION_DAYS", "must be at least 30, not %d: the database removes nothing that is younger", c.AuditRetention/(24*time.Hour))
	}
}

const (
	minSetupTokenBytes = 16
	// maxCohortPeople is what the list of a fixed cohort has at most: what an export has.
	maxCohortPeople = 1_000_000
	// maxOfEach is the LIMIT of the lists in db/queries.
	maxOfEach = 1000
)

const (
	minSecretBytes = 32
	// maxDrain is longer than any proxy takes to notice.
	maxDrain = 300
	// maxQueryTimeout leaves the request time to say why it was refused.
	maxQueryTimeout = 25 * time.Second
	// maxRateLimit is half of the highest limit, because ingestion has twice the one that is set.
	maxRateLimit = ratelimit.MaxPerMinute / 2
	// maxEventNames bounds what a node keeps in memory of a project: 8 bytes for each name.
	maxEventNames = 100_000
)

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

func (c *Config) secretsPath() string { return filepath.Join(c.DataDir, secretsFile) }

type secrets struct {
	JWTSecret string `json:"jwt_secret"`
	SecretKey string `json:"secret_key"`
}

// EnsureSecrets fills in the secrets that are not set from a file in the data directory, which it makes the first
// time. In production they must be set, so there it does nothing. Processes that share a data directory end with the
// same secrets, whichever makes the file.
func (c *Config) EnsureSecrets() error {
	if c.jwtSecretSet && c.secretKeySet {
		return nil
	}
	err := c.loadSecrets()
	if errors.Is(err, fs.ErrNotExist) {
		if err := writeSecrets(c.secretsPath(), secrets{JWTSecret: randomHex(), SecretKey: randomHex()}); err != nil {
			return err
		}
		err = c.loadSecrets() // another process may have been faster, and then its secrets count
	}
	return err
}

// LoadSecretKey fills in the generated secret key and makes none: fs.ErrNotExist when there is none.
func (c *Config) LoadSecretKey() error {
	if c.secretKeySet {
		return nil
	}
	return c.loadSecrets()
}

func (c *Config) loadSecrets() error {
	path := c.secretsPath()
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the generated secrets: %w", err)
	}
	s, key, err := readSecrets(b)
	if err != nil {
		return fmt.Errorf("%s is damaged: %w; restore it, or set %sJWT_SECRET and %sSECRET_KEY", path, err, prefix, prefix)
	}
	if !c.jwtSecretSet {
		c.JWTSecret = s.JWTSecret
	}
	if !c.secretKeySet {
		c.SecretKey = key
	}
	return nil
}

// SecretKeyIn says where the secret key is kept: in the setting, or in the file that was made for the data directory.
func (c *Config) SecretKeyIn() string {
	if c.secretKeySet {
		return prefix + "SECRET_KEY"
	}
	return c.secretsPath()
}

func readSecrets(b []byte) (s secrets, key []byte, err error) {
	if err := json.Unmarshal(b, &s); err != nil {
		return s, nil, err
	}
	if len(s.JWTSecret) < minSecretBytes {
		return s, nil, fmt.Errorf("jwt_secret is %d bytes long and must be at least %d", len(s.JWTSecret), minSecretBytes)
	}
	if key, err = parseKey(s.SecretKey); err != nil {
		return s, nil, errors.New("secret_key is not 32 bytes as hex")
	}
	return s, key, nil
}

// writeSecrets writes the file whole or not at all, since half a file after a crash would lock everyone out; and it
// leaves alone a file that has come to be there, since another process works with what that says.
func writeSecrets(path string, s secrets) error {
	dir := filepath.Dir(path)
	// 0711: the embedded PostgreSQL may run as another user and must reach its own directory inside.
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make the data directory: %w", err)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the generated secrets: %w", err)
	}
	// Unlike a rename, a link replaces nothing.
	if err := durable.WriteFile(path, append(b, '\n'), os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the generated secrets: %w", err)
	}
	return nil
}

func randomHex() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
