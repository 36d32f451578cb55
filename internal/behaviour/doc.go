// Package behaviour is what questions about people are computed from: the events of a project as rows of each person, in order.
//
// A scan reads the rows from wherever they are (parts, arrivals not yet in parts, the events themselves) and hands them on
// person by person. An operator (funnel, retention, paths …) works on one person's rows at a time and knows nothing of where
// they came from. Neither knows of HTTP, JSON or SQL.
package behaviour
