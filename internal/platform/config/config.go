// Package config reads Nimbus's settings from flags, the environment (NIMBUS_*) and a .env file, in this order, and
// reports every problem at once. One table names each setting, so that a flag, a variable and a line of the help
// cannot drift apart.
package config

import (
	"cmp"
	"log/slog"
	"net/netip"
	"net/url"
	"time"
)

// Config is every setting of `nimbus serve`.
type Config struct {
	AppName     string
	Environment string // development or production
	LogLevel    slog.Level
	LogFormat   string // json, text, or empty: json in production

	Addr       string
	AdminAddr  string   // metrics and profiles; empty means none
	AdminHosts []string // names that the admin listener is asked by, beside localhost and addresses

	DatabaseURL          string // empty: the embedded PostgreSQL in DataDir
	AnalyticsDatabaseURL string // a streaming standby for questions; empty: DatabaseURL
	ReplicaMaxLag        int    // how many seconds behind it may be and still answer; 0: any
	DBPoolSize           int
	AutoMigrate          bool
	DataDir              string
	PostgresBin          string

	JWTSecret         string
	AccessTTL         time.Duration
	RefreshTTL        time.Duration
	BcryptCost        int
	SecretKey         []byte
	SecretKeyPrevious [][]byte

	BasePath            string   // where browsers find the server below its host, such as /analytics; empty: at its root
	PublicURL           string   // where people reach this server, without a slash at the end; empty: unknown
	MCPURL              string   // the Nimbus that nimbus mcp speaks for
	MCPKey              string   // what it asks with
	Registration        string   // open, invite or closed; empty: open in development, closed in production
	AllowedEmailDomains []string // of addresses that may register; empty: all
	SetupToken          string   // of the first account in production; empty: made of the JWT secret
	SMTPURL             string   // empty: no mail is sent
	MailFrom            string

	MaxProjectsPerAccount     int
	MaxKeysPerProject         int
	MaxMembersPerProject      int
	MaxInsightsPerProject     int
	MaxBoardsPerProject       int
	MaxAnnotationsPerProject  int
	MaxCustomEventsPerProject int
	MaxCohortsPerProject      int
	MaxCohortPeople           int           // ids of one list
	AuditRetention            time.Duration // of entries that concern no project

	OIDCIssuer       string // empty: no identity provider
	OIDCClientID     string
	OIDCClientSecret string // empty: a public client
	OIDCRedirectURL  string
	OIDCName         string // on the button

	QueryTimeout   time.Duration // of a question that reads events
	QueryMaxEvents int           // that a question may read

	RedisURL     string        // empty: limits and messages stay in this process
	RedisTimeout time.Duration // of one call

	RateLimitEnabled   bool
	RateLimitPerMinute int            // of an account or a key; ingestion has twice that
	TrustedProxies     []netip.Prefix // whose X-Forwarded-For is believed

	// What a project may store, unless the operator gives it limits of its own; 0 is no limit.
	QuotaEventsPerDay int
	QuotaStoredBytes  int
	QuotaEventNames   int
	MinFreeBytes      int // of the embedded database's disk

	Compat            []string // the vendors whose SDKs may send events
	AllowedOrigins    []string
	LiveMaxStreams    int // open at once on this node
	LiveMaxPerProject int // the same of one project
	ShutdownTimeout   time.Duration
	Drain             int // seconds between the signal to stop and the end of listening

	OTLPEndpoint     string  // empty: no tracing
	TraceSampleRatio float64 // of the traces that begin here

	// jwtSecretSet and secretKeySet tell "generated for this data directory" from "given by the operator".
	jwtSecretSet, secretKeySet bool
}

// JSONLog reports whether the log is for machines.
func (c *Config) JSONLog() bool { return c.LogFormat == "json" || c.LogFormat == "" && c.Production() }

// DrainTime is how long a node that is told to stop goes on serving while its readiness is red.
func (c *Config) DrainTime() time.Duration { return time.Duration(c.Drain) * time.Second }

// Production reports whether weak settings stop the server.
func (c *Config) Production() bool { return c.Environment == "production" }

// RegistrationKind is who may register: a server on the network takes nobody unless its operator says so.
func (c *Config) RegistrationKind() string {
	if c.Registration == "" && c.Production() {
		return "closed"
	}
	return cmp.Or(c.Registration, "open")
}

// Embedded reports whether Nimbus runs its own PostgreSQL.
func (c *Config) Embedded() bool { return c.DatabaseURL == "" }

// Redacted returns the settings as shown to people: secrets and passwords are hidden.
func (c *Config) Redacted() map[string]string {
	out := make(map[string]string)
	for _, s := range c.settings() {
		v := s.value.String()
		switch {
		case s.secret && v != "":
			v = "(set)"
		case s.name == "DATABASE_URL" || s.name == "ANALYTICS_DATABASE_URL" || s.name == "REDIS_URL" || s.name == "OTLP_ENDPOINT" || s.name == "SMTP_URL":
			v = redactURL(v)
		}
		out["NIMBUS_"+s.name] = v
	}
	return out
}

func redactURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		if s == "" {
			return ""
		}
		return "(set)"
	}
	// PostgreSQL takes the password as a parameter too.
	if q := u.Query(); q.Has("password") || q.Has("sslpassword") {
		return "(set)"
	}
	return u.Redacted()
}
