// Package app wires Nimbus (the composition root): it is the only package that imports every slice.
//
// New opens the database (an embedded one when none is configured), brings the schema up to date, and connects the
// slices. Run serves until its context ends and then shuts down in an order that loses nothing: end the live streams,
// stop accepting, let the requests finish (each answered after its commit), drain the ingestion queue, stop the jobs,
// close the database.
package app
