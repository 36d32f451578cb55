// Package tracing sends OpenTelemetry traces to an OTLP endpoint: what a request waited for, from its first byte to the
// SQL statements that answered it.
//
// Nothing waits for it. Spans go into a bounded queue and leave from there; when the endpoint is slow or away they are
// dropped and counted, and no request is slower or fails. Without an endpoint nothing of it is installed: Start finds no
// span in the context and does nothing.
package tracing
