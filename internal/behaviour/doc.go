// Package behaviour is what questions about people are computed from: the events of a project as rows of each person,
// in order.
//
// A scan reads the rows from wherever they are (parts, arrivals not yet in parts, the events themselves) and hands
// them on person by person. An operator (funnel, retention, paths …) works on one person's rows at a time and knows
// nothing of where they came from. Neither knows of HTTP, JSON or SQL.
//
// It guarantees:
//
//   - the rows of a person come in the order (ts, received_at, id), and all of them at once: an operator that was
//     given a person is never given him again;
//   - a person is valid during one Add only. The scan uses the memory again for the next one, so that nothing is
//     allocated for each row; what an operator keeps, it copies;
//   - people may come in any sequence and on several goroutines, each with an operator of its own: operators of one
//     question are merged at the end, and the answer does not depend on who was added where.
//
// Its packages:
//
//   - parts: the format of a part, columns of the rows of one day
//   - build: makes parts of what arrived, merges, verifies and rebuilds them
//   - scan: reads rows from wherever they are, and measures
//   - catalogue: which names, props and values there are, counted as parts are built
package behaviour
