// Package plausible is the wire format of Plausible: one event a request, with long or short names.
package plausible
