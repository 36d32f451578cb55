// Package tracker holds the browser's tracker as the server serves it: sdk.js is built from sdk/typescript/src/snippet.ts
// by scripts/generate.sh. This file is the only one here that is written by hand.
package tracker

import _ "embed" // the script

// JS is the script, minified.
//
//go:embed sdk.js
var JS []byte
