// Package funnel counts how far people come through steps.
//
// It guarantees:
//
//   - an attempt is the best filling of its steps that there is: most steps, then the earliest last step, then the
//     earliest moment at each. Events of one time may be taken in any sequence, and each fills one step;
//   - of the attempts of a person the one counts that the question asks for, exactly, however many entries he has.
//     For the usual funnel (ordered, optimized) one pass over his events finds it;
//   - each attempt is in one group, so groups and the rest add up to the whole; the counts of required steps never
//     rise;
//   - the people behind a number are as many as the number says.
//
// It keeps the durations of all steps, 8 bytes for each step done after the first, because percentiles are exact.
package funnel
