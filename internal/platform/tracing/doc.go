// Package tracing sends OpenTelemetry traces to an OTLP endpoint: where a request spent its time, from its first byte
// to the SQL statements that answered it.
//
// Nothing waits for it. Spans go into a bounded queue and are sent from there; when the endpoint is slow or
// unavailable they are dropped and counted, and no request is slower or fails. Without an endpoint nothing is
// installed: Start finds no span in the context and does nothing.
package tracing
