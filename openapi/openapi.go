// Package openapi holds the contract, for the server to publish and the tests to check against.
package openapi

import _ "embed" // the contract

// YAML is the contract, the only hand-written source of the API.
//
//go:embed nimbus.yaml
var YAML []byte
