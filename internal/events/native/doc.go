// Package native is the way in by Nimbus' own contract, POST /v1/events: it maps its types to ingest's one model, and
// the result of each event to the reply.
package native
