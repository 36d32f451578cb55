// Package insightcases runs the cases of testdata/insight-cases: streams of events, a question, and the right answer
// by the definitions of what insights mean (FORMAT.md there says how they are written).
//
// A Source is the naive reading of the events of a case: it deduplicates them, resolves people, cuts sessions and
// evaluates filters one event at a time, and hands on persons as a scan does. Whatever else answers questions is held
// to it.
package insightcases
