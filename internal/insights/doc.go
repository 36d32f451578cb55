// Package insights groups the questions about events, one package a kind.
//
//   - query: what all of them share: range, calendar, filter, limits
//   - trends: a number for each bucket of a calendar: counts, people, sums, percentiles (GET /v1/metrics)
//   - funnel, retention, activity, paths, cohorts: operators on the rows of people
//   - saved: questions that are kept, and boards of them
//
// It may import events, people and behaviour, from which it answers, access/auth and access/audit, contract and platform.
package insights
