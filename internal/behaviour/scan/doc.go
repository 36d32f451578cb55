// Package scan reads the parts of a project for a question about people: person by person in order, for operators
// (People), or column by column, for measures that need no order (Run of a Measure).
//
// It guarantees:
//
// - a scan yields exactly the events of its parts that the question considers, each event once, however many parts have
// it; - a person's rows come together and in the order (ts, received_at, id), under the number that links and merges
// give him when the question is asked; within a worker, people come by ascending number; - sums are exact decimals,
// people are counted exactly, percentiles are interpolated between the two values next to them; - memory is bounded and
// counted: more people than fit are read range by range of their numbers, and what does not fit even so is ErrTooLarge;
// - a scan ends soon after its context does: it is asked between any two chunks of a part.
//
// A prop that is no column of a chunk in question is ErrNoColumn: nothing is answered from what is there, and the
// caller reads the events. A part that is damaged is *DamagedPart: the caller reads the events of its day.
package scan
