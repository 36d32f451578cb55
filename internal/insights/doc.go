// Package insights groups the questions about events, one package a kind.
//
//   - trends: a number for each bucket of a calendar: counts, people, sums, percentiles (GET /v1/metrics)
//   - saved: questions that are kept, and boards of them
//
// It may import events, people and behaviour, from which it answers, access/auth and access/audit, contract and
// platform.
package insights
