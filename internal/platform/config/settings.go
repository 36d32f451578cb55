package config

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// setting is one line of the table: the flag -database-url is the variable NIMBUS_DATABASE_URL.
type setting struct {
	name   string
	value  flag.Value
	usage  string
	secret bool
}

func (s *setting) flagName() string { return strings.ReplaceAll(strings.ToLower(s.name), "_", "-") }

// flagValue is a setting as a flag. A bad value is noted beside all other problems; the flag package would stop at the
// first one and repeat the value, which may be a secret.
type flagValue struct {
	*setting
	problems *[]error
}

func (f *flagValue) Set(s string) error {
	if err := f.value.Set(s); err != nil {
		*f.problems = append(*f.problems, fmt.Errorf("-%s %w", f.flagName(), err))
	}
	return nil
}

// String is also called on the zero value, by the flag package.
func (f *flagValue) String() string {
	if f.setting == nil {
		return ""
	}
	return f.value.String()
}

// IsBoolFlag lets -auto-migrate stand without a value.
func (f *flagValue) IsBoolFlag() bool {
	_, ok := f.value.(*boolValue)
	return ok
}

// settings is the table. The current value of each field is its default.
func (c *Config) settings() []setting {
	return []setting{
		{"APP_NAME", str(&c.AppName), "name shown in pages and logs", false},
		{"ENVIRONMENT", str(&c.Environment), "development or production; production refuses weak secrets", false},
		{"LOG_LEVEL", (*levelValue)(&c.LogLevel), "debug, info, warn or error", false},
		{"LOG_FORMAT", str(&c.LogFormat), "json or text; empty: json in production, text elsewhere", false},
		{"ADDR", str(&c.Addr), "address of the API", false},
		{"ADMIN_ADDR", str(&c.AdminAddr), "address of /metrics and /debug/pprof; keep it private; off: none", false},
		{"ADMIN_HOSTS", (*listValue)(&c.AdminHosts), "names that the admin listener is asked by, beside localhost and addresses, with commas", false},
		{"DATABASE_URL", str(&c.DatabaseURL), "PostgreSQL to use; empty: an embedded one in DATA_DIR", false},
		{"ANALYTICS_DATABASE_URL", str(&c.AnalyticsDatabaseURL), "streaming standby of DATABASE_URL that answers questions; empty: DATABASE_URL", false},
		{"REPLICA_MAX_LAG_SECONDS", (*intValue)(&c.ReplicaMaxLag), "how far the standby may be behind and still answer; 0: any", false},
		{"DB_POOL_SIZE", (*intValue)(&c.DBPoolSize), "database connections for everything but ingestion, which has three of its own", false},
		{"AUTO_MIGRATE", (*boolValue)(&c.AutoMigrate), "bring the schema up to date at the start; false: refuse to start instead", false},
		{"DATA_DIR", str(&c.DataDir), "directory of the embedded PostgreSQL and of generated secrets", false},
		{"POSTGRES_BIN", str(&c.PostgresBin), "directory of the PostgreSQL server programs; empty: the usual places", false},
		{"JWT_SECRET", str(&c.JWTSecret), "signs access tokens; at least 32 bytes; generated in DATA_DIR outside production", true},
		{"JWT_ACCESS_TTL_SECONDS", (*secondsValue)(&c.AccessTTL), "life of an access token", false},
		{"JWT_REFRESH_TTL_SECONDS", (*secondsValue)(&c.RefreshTTL), "life of a refresh token", false},
		{"BCRYPT_COST", (*intValue)(&c.BcryptCost), "cost of a password's hash, 10 to 16", false},
		{"SECRET_KEY", (*keyValue)(&c.SecretKey), "encrypts project secrets: 32 bytes as hex or base64; generated in DATA_DIR outside production", true},
		{"SECRET_KEY_PREVIOUS", (*keysValue)(&c.SecretKeyPrevious), "earlier SECRET_KEYs, with commas, until `nimbus keys rewrap` has run", true},
		{"BASE_PATH", str(&c.BasePath), "path below which browsers reach this server, such as /analytics; empty: the root", false},
		{"PUBLIC_URL", str(&c.PublicURL), "where people reach this server, such as https://nimbus.example.com; links in mails and of commands begin with it", false},
		{"REGISTRATION", str(&c.Registration), "who may make an account: open (everyone), invite (people with an invitation) or closed; empty: open in development, closed in production", false},
		{"ALLOWED_EMAIL_DOMAINS", (*listValue)(&c.AllowedEmailDomains), "domains of the addresses that may register, with commas; empty: all", false},
		{"SETUP_TOKEN", str(&c.SetupToken), "what the first account in production needs to register; at least 16 characters; empty: one is written to the log", true},
		{"SMTP_URL", str(&c.SMTPURL), "mail server for invitations and new passwords, such as smtp://user:password@mail.example.com:587 or smtps://…:465; empty: no mail", false},
		{"MAIL_FROM", str(&c.MailFrom), "sender of mails, such as Nimbus <nimbus@example.com>", false},
		{"MAX_PROJECTS_PER_ACCOUNT", (*intValue)(&c.MaxProjectsPerAccount), "projects that an account may own", false},
		{"MAX_KEYS_PER_PROJECT", (*intValue)(&c.MaxKeysPerProject), "API keys that a project may have beside its main pair, and as many write keys", false},
		{"MAX_MEMBERS_PER_PROJECT", (*intValue)(&c.MaxMembersPerProject), "members that a project may have, and as many invitations that wait", false},
		{"MAX_INSIGHTS_PER_PROJECT", (*intValue)(&c.MaxInsightsPerProject), "saved insights that a project may have", false},
		{"MAX_BOARDS_PER_PROJECT", (*intValue)(&c.MaxBoardsPerProject), "boards that a project may have", false},
		{"MAX_COHORTS_PER_PROJECT", (*intValue)(&c.MaxCohortsPerProject), "cohorts that a project may have", false},
		{"MAX_COHORT_PEOPLE", (*intValue)(&c.MaxCohortPeople), "ids that the list of a fixed cohort may have", false},
		{"MAX_ANNOTATIONS_PER_PROJECT", (*intValue)(&c.MaxAnnotationsPerProject), "annotations that a project may have", false},
		{"MAX_CUSTOM_EVENTS_PER_PROJECT", (*intValue)(&c.MaxCustomEventsPerProject), "custom events that a project may have", false},
		{"AUDIT_RETENTION_DAYS", (*daysValue)(&c.AuditRetention), "how long audit entries of accounts are kept, from 30; those of a project go with it", false},
		{"OIDC_ISSUER", str(&c.OIDCIssuer), "OpenID provider that people may log in with; empty: none", false},
		{"OIDC_CLIENT_ID", str(&c.OIDCClientID), "client id that the provider knows Nimbus by", false},
		{"OIDC_CLIENT_SECRET", str(&c.OIDCClientSecret), "its secret; empty: a public client", true},
		{"OIDC_REDIRECT_URL", str(&c.OIDCRedirectURL), "where browsers reach /v1/auth/oidc/callback, as registered at the provider", false},
		{"OIDC_NAME", str(&c.OIDCName), "what people call the provider; empty: its host", false},
		{"QUERY_TIMEOUT_SECONDS", (*secondsValue)(&c.QueryTimeout), "how long a question may read events before it is refused, at most 25", false},
		{"QUERY_MAX_EVENTS", (*intValue)(&c.QueryMaxEvents), "how many events a question may read; more are refused before it begins", false},
		{"REDIS_URL", str(&c.RedisURL), "Redis that several nodes share limits and messages through; empty: one node", false},
		{"REDIS_TIMEOUT_MS", (*millisecondsValue)(&c.RedisTimeout), "how long a call to Redis may take before the node goes on alone", false},
		{"RATE_LIMIT_ENABLED", (*boolValue)(&c.RateLimitEnabled), "limit how many requests each caller may send; failed logins are slowed in any case", false},
		{"RATE_LIMIT_PER_MINUTE", (*intValue)(&c.RateLimitPerMinute), "requests a minute of an account or a key; of a key that sends events, twice as many", false},
		{"QUOTA_EVENTS_PER_DAY", (*intValue)(&c.QuotaEventsPerDay), "events that a project may store in a UTC day; 0: any number", false},
		{"QUOTA_STORED_BYTES", (*intValue)(&c.QuotaStoredBytes), "bytes of disk that a project's events and counts may take, about; 0: any number", false},
		{"QUOTA_EVENT_NAMES", (*intValue)(&c.QuotaEventNames), "names of a project that are counted by themselves; further ones are counted as $other; 0: all", false},
		{"MIN_FREE_BYTES", (*intValue)(&c.MinFreeBytes), "bytes in DATA_DIR that the embedded database must have free for events to be taken in; 0: none", false},
		{"MCP_URL", str(&c.MCPURL), "the Nimbus that `nimbus mcp` speaks for", false},
		{"MCP_KEY", str(&c.MCPKey), "secret of the API key that `nimbus mcp` asks with", true},
		{"TRUSTED_PROXIES", (*prefixesValue)(&c.TrustedProxies), "addresses or CIDRs of proxies whose X-Forwarded-For is believed, with commas", false},
		{"COMPAT", (*listValue)(&c.Compat), "other vendors whose SDKs may send events: segment (and RudderStack), mixpanel, posthog, umami, plausible, with commas; off: none", false},
		{"ALLOWED_ORIGINS", (*listValue)(&c.AllowedOrigins), "origins of browsers that may call the API: a JSON array, or with commas", false},
		{"LIVE_MAX_STREAMS", (*intValue)(&c.LiveMaxStreams), "live streams that may be open at once on this node", false},
		{"LIVE_MAX_STREAMS_PER_PROJECT", (*intValue)(&c.LiveMaxPerProject), "live streams of one project that may be open at once on this node", false},
		{"OTLP_ENDPOINT", str(&c.OTLPEndpoint), "where traces are sent, OTLP over HTTP, such as http://collector:4318; empty: no tracing", false},
		{"TRACE_SAMPLE_RATIO", (*ratioValue)(&c.TraceSampleRatio), "share of the requests without a traceparent that are traced, 0 to 1", false},
		{"SHUTDOWN_TIMEOUT_SECONDS", (*secondsValue)(&c.ShutdownTimeout), "how long a stop may take to answer what waits", false},
		{"DRAIN_SECONDS", (*intValue)(&c.Drain), "how long readiness is red before a stop ends listening, for proxies to notice", false},
	}
}

func defaults() Config {
	return Config{
		AppName: "Nimbus", Environment: "development", LogLevel: slog.LevelInfo,
		Addr: "127.0.0.1:8080", AdminAddr: "127.0.0.1:9464", MCPURL: "http://127.0.0.1:8080",
		DBPoolSize: 16, ReplicaMaxLag: 10, AutoMigrate: true, DataDir: "data",
		AccessTTL: time.Hour, RefreshTTL: 7 * 24 * time.Hour, BcryptCost: 12,
		QueryTimeout: 10 * time.Second, QueryMaxEvents: 10_000_000,
		RedisTimeout: 10 * time.Millisecond, RateLimitEnabled: true, RateLimitPerMinute: 10_000,
		MaxCohortsPerProject: 500, MaxCohortPeople: maxCohortPeople,
		MaxProjectsPerAccount: 100, MaxKeysPerProject: 100, MaxMembersPerProject: 500, MaxInsightsPerProject: 500, MaxBoardsPerProject: 100,
		MaxAnnotationsPerProject: 1000, MaxCustomEventsPerProject: 200,
		AuditRetention:    400 * 24 * time.Hour,
		QuotaEventsPerDay: 50_000_000, QuotaStoredBytes: 100 << 30, QuotaEventNames: 2_000, MinFreeBytes: 256 << 20,
		Compat:         []string{"segment", "mixpanel", "posthog", "umami", "plausible"},
		LiveMaxStreams: 10_000, LiveMaxPerProject: 1_000, TraceSampleRatio: 0.1, ShutdownTimeout: 30 * time.Second,
	}
}

type stringValue string

func str(p *string) *stringValue          { return (*stringValue)(p) }
func (v *stringValue) Set(s string) error { *v = stringValue(strings.TrimSpace(s)); return nil }
func (v *stringValue) String() string     { return string(*v) }
func (v *levelValue) String() string      { return strings.ToLower((*slog.Level)(v).String()) }
func (v *intValue) String() string        { return strconv.Itoa(int(*v)) }
func (v *boolValue) String() string       { return strconv.FormatBool(bool(*v)) }
func (v *secondsValue) String() string    { return strconv.Itoa(int(time.Duration(*v) / time.Second)) }
func (v *keyValue) String() string        { return hex.EncodeToString(*v) }
func (v *listValue) String() string       { return strings.Join(*v, ",") }

type (
	levelValue        slog.Level
	intValue          int
	boolValue         bool
	secondsValue      time.Duration
	daysValue         time.Duration
	millisecondsValue time.Duration
	ratioValue        float64
	prefixesValue     []netip.Prefix
	keyValue          []byte
	keysValue         [][]byte
	listValue         []string
)

func (v *levelValue) Set(s string) error {
	if err := (*slog.Level)(v).UnmarshalText([]byte(s)); err != nil {
		return errors.New("must be debug, info, warn or error")
	}
	return nil
}

func (v *intValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return errors.New("must be a whole number")
	}
	*v = intValue(n)
	return nil
}

func (v *boolValue) Set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("must be true or false")
	}
	*v = boolValue(b)
	return nil
}

// maxSeconds is ten years. Beyond what a time.Duration holds, a long life would turn into a short one.
const maxSeconds = 10 * 365 * 24 * 3600

func (v *secondsValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxSeconds {
		return fmt.Errorf("must be a whole number of seconds from 1 to %d", maxSeconds)
	}
	*v = secondsValue(time.Duration(n) * time.Second)
	return nil
}

func (v *daysValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxSeconds/86400 {
		return fmt.Errorf("must be a whole number of days from 1 to %d", maxSeconds/86400)
	}
	*v = daysValue(time.Duration(n) * 24 * time.Hour)
	return nil
}

func (v *daysValue) String() string { return strconv.Itoa(int(time.Duration(*v) / (24 * time.Hour))) }

func (v *millisecondsValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 10_000 {
		return errors.New("must be a whole number of milliseconds from 1 to 10000")
	}
	*v = millisecondsValue(time.Duration(n) * time.Millisecond)
	return nil
}

func (v *millisecondsValue) String() string {
	return strconv.FormatInt(time.Duration(*v).Milliseconds(), 10)
}

func (v *ratioValue) Set(s string) error {
	r, err := strconv.ParseFloat(s, 64)
	if err != nil || !(r >= 0 && r <= 1) { // NaN is neither
		return errors.New("must be a number from 0 to 1")
	}
	*v = ratioValue(r)
	return nil
}

func (v *ratioValue) String() string { return strconv.FormatFloat(float64(*v), 'g', -1, 64) }

func (v *prefixesValue) Set(s string) error {
	*v = nil
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			addr, aerr := netip.ParseAddr(part)
			if aerr != nil {
				return fmt.Errorf("must be addresses or CIDRs such as 10.0.0.0/8, with commas; %q is neither", part)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		*v = append(*v, p.Masked())
	}
	return nil
}

func (v *prefixesValue) String() string {
	out := make([]string, len(*v))
	for k, p := range *v {
		out[k] = p.String()
	}
	return strings.Join(out, ",")
}

func (v *keyValue) Set(s string) error {
	key, err := parseKey(s)
	if err != nil {
		return err
	}
	*v = key
	return nil
}

func (v *keysValue) Set(s string) error {
	*v = nil
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, err := parseKey(part)
		if err != nil {
			return err
		}
		*v = append(*v, key)
	}
	return nil
}

func (v *keysValue) String() string {
	out := make([]string, len(*v))
	for k, key := range *v {
		out[k] = hex.EncodeToString(key)
	}
	return strings.Join(out, ",")
}

// parseKey never repeats the key in its error: the error is printed.
func parseKey(s string) ([]byte, error) {
	s = strings.TrimSpace(s)
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if key, err := decode(s); err == nil && len(key) == 32 {
			return key, nil
		}
	}
	return nil, errors.New("must be 32 bytes as hex or base64; make one with: openssl rand -hex 32")
}

func (v *listValue) Set(s string) error {
	s = strings.TrimSpace(s)
	*v = nil
	if strings.HasPrefix(s, "[") {
		var list []string // a list that broke off in the middle must not be left in v
		if err := json.Unmarshal([]byte(s), &list); err != nil {
			return fmt.Errorf("must be a JSON array of strings, or a list with commas: %w", err)
		}
		*v = list
		return nil
	}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*v = append(*v, part)
		}
	}
	return nil
}
