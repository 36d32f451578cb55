// Package amplitude reads what Amplitude exports. Nimbus does not speak the wire format of its SDKs.
package amplitude
