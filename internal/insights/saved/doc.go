// Package saved keeps questions, with the way in which they are drawn, boards of them, and cohorts. They belong to a project
// and are shared by its members.
//
// What it guarantees:
//
//   - A question is kept as the contract has it: what was accepted can be asked again, unchanged. One that would be refused
//     is not accepted; a range without an end may outgrow its buckets later.
//   - A board shows reports of its own project only, and never one that is not there: deleting a report takes it off every
//     board, in the same transaction.
//   - A cohort never leads back to itself, and is not deleted unseen while another cohort, a report or a board uses it.
//   - The changes of one project happen one after the other, each in the audit log, in its own transaction. The limits of a
//     project hold under concurrency.
//
// What happens when that fails: a tile whose report is not there is a bad field, named with its position; nothing is changed.
package saved
