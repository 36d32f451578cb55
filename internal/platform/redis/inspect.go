package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Report is what an operator should know of a Redis.
type Report struct {
	Version   string
	RoundTrip time.Duration // of one call on a connection that is there
	MaxMemory int64         // bytes; 0: no limit
	Eviction  string        // the maxmemory-policy
	Replica   bool
	Cluster   bool
}

// Inspect asks a Redis about itself. Every question is one that a managed Redis answers too.
func Inspect(ctx context.Context, dsn string) (*Report, error) {
	o, err := option(dsn)
	if err != nil {
		return nil, err
	}
	client, err := rueidis.NewClient(o)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	begun := time.Now()
	if err := client.Do(ctx, client.B().Ping().Build()).Error(); err != nil {
		return nil, fmt.Errorf("ping: %w", err)
	}
	r := &Report{RoundTrip: time.Since(begun)}
	// Not CONFIG GET, which managed ones refuse.
	info, err := client.Do(ctx, client.B().Info().Section("server", "memory", "replication", "cluster").Build()).ToString()
	if err != nil {
		return nil, fmt.Errorf("info: %w", err)
	}
	fields := make(map[string]string)
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	if r.Version = fields["redis_version"]; r.Version == "" {
		return nil, errors.New("info: no redis_version; is it a Redis?")
	}
	r.Eviction, r.Replica, r.Cluster = fields["maxmemory_policy"], fields["role"] == "slave", fields["cluster_enabled"] == "1"
	if r.MaxMemory, err = strconv.ParseInt(fields["maxmemory"], 10, 64); err != nil {
		return nil, fmt.Errorf("info: maxmemory: %w", err)
	}
	return r, nil
}
