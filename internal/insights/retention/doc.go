// Package retention counts how many of those who started came back, period by period.
//
// It guarantees:
//
//   - a person is in a row once, and in one group of it, by the value of his start event; a cell is never larger than
//     its row's size, and groups and the rest add up to the whole;
//   - calendar periods are those of the zone, rolling ones are of 1 h, 24 h, 7 × 24 h and 30 × 24 h from the person's
//     own start. A cell says whether its period is over, whoever is in it;
//   - an average weighs people, not rows: those retained by those who could be, over complete cells;
//   - the people behind a cell are as many as it says.
package retention
