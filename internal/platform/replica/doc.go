// Package replica decides, for each question, which database answers it: a streaming standby while there is one that is
// fit for it, else the primary.
//
// What it guarantees:
//
//   - One question is answered from one database. Where the standby fails in the middle, the whole question is asked anew
//     of the primary, and nothing of the first attempt is left.
//   - A question that the primary can answer does not fail because of the standby: not when it is away, does not answer any
//     more, was promoted, is that of another database, lacks a migration, or cancels a question because it has to replay
//     what the question still reads.
//   - What the standby is asked it has replayed to within the greatest lag, as of the last measurement, one a second. Lag
//     is told by positions in the write-ahead log and this node's clock: a primary without traffic is never behind, and no
//     two clocks are compared.
//
// What happens when that fails: where the primary does not answer measurements, the standby is judged by what is known;
// there is nobody else to ask. A standby whose lag cannot be known yet, after a start or where an older copy stands
// in its place, is not asked before it has replayed what the primary had written by then.
package replica
