// Package platform groups what any server needs and what knows nothing of analytics.
//
//   - config: every setting, from flags, the environment and .env; all that is wrong is reported at once
//   - postgres, replica: pools, transactions, the standby that answers questions
//   - embedded: a PostgreSQL of our own, started when none is configured
//   - redis, ratelimit, bus: limits and messages that nodes share, and the backend of one node alone
//   - turns: slots of an expensive step, shared fairly
//   - jobs: timers, each run on one node at a time
//   - backup, durable: files that survive a crash
//   - secretbox, tracing: encryption at rest, spans
//   - mail: mails to people, sent in the background
//   - clock, zone, memory: whose time counts, time zones by name, how much memory there is
//
// It may import contract, and no group.
package platform
