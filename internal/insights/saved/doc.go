// Package saved keeps what the members of a project share: insights (questions, with the way in which they are drawn), boards of
// them, cohorts, annotations, and custom events.
//
// What it guarantees:
//
//   - A question is kept as the contract has it: what was accepted can be asked again, unchanged. One that would be refused
//     is not accepted; a range without an end may outgrow its buckets later.
//   - A board shows insights of its own project only, and never one that is not there: deleting an insight takes it off every
//     board, in the same transaction. No two tiles overlap.
//   - A custom event that a saved insight asks about is not deleted.
//   - A cohort never leads back to itself, and is not deleted unseen while another cohort, an insight or a board uses it.
//   - Everything has a version. A change of another version than the one that is there is refused, and changes nothing.
//   - The changes of one project happen one after the other, each in the audit log, in its own transaction. The limits of a
//     project hold under concurrency.
//
// What happens when that fails: a tile that cannot be placed is a bad field, named with its position; nothing is changed.
package saved
