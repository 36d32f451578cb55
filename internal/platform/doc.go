// Package platform groups what any server needs and what knows nothing of analytics.
//
//   - config: every setting, from flags, the environment and .env; all that is wrong is reported at once
//   - postgres, replica: pools, transactions, the standby that answers questions
//   - embedded: a PostgreSQL of our own, started when none is configured
//   - redis, shared: state that nodes have in common, and what stands in for it on one node
//   - turns: slots of an expensive step, shared fairly
//   - jobs: timers, each run on one node at a time
//   - backup, durable: files that survive a crash
//   - secretbox, tracing: encryption at rest, spans
//
// It may import contract, and no group.
package platform
