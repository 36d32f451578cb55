// Package segment is the wire format of Segment, which RudderStack's SDKs speak, too: POST /v1/batch, a path for each kind
// of call, and what the browser's SDKs load before they send.
package segment
