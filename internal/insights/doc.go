// Package insights groups the questions about events, one package a kind.
//
//   - query: what they share: the range of a question, the calendar of a zone, filters, limits, summaries, top groups
//   - answers: POST /v1/insights/…: reads the question, has an operator answer it, and says how the answer came about
//   - trends: one number for each bucket of a calendar: counts, people, sums, percentiles (/v1/metrics)
//   - measures: several series and formulas of them (POST /v1/insights/trends)
//   - funnel: how far people come through steps
//   - retention: how many of those who started came back, period by period
//   - activity: distinct people, their lifecycle, and in how many periods they were active
//   - paths: the ways that people take from event to event
//   - sessions: how many, how long, where they begin and end
//   - cohorts: the people that a tree of conditions describes
//   - saved: insights that are kept, boards of them, cohorts, annotations, custom events
//
// Each question about people is an operator: New takes a question that is resolved (conditions are bits, properties are
// value columns, times are microseconds), Add takes one person's rows from internal/behaviour, Merge adds what another
// goroutine counted of other people, Answer is the answer. Collect before the first Add makes it find the people behind
// one number of the answer, which People returns. Reads says which rows the question needs, Definition in one sentence
// what was counted.
//
// It may import events, people and behaviour, from which it answers, access/auth and access/audit, contract and
// platform.
package insights
