// Package insightcases runs the cases of testdata/insight-cases: streams of events, a question, and the right answer
// by the definitions of what insights mean (FORMAT.md there says how they are written). A Source is the naive
// implementation over the events of a case: it deduplicates them, resolves people, cuts sessions and evaluates
// filters one event at a time, and yields persons as a scan does. All other implementations are compared with it.
package insightcases
