package nimbus

import "embed"

// Source is the source of this module, which a running Nimbus serves to the go command as the module's zip. No other
// program has a use for it, and none has it inside: the linker leaves out what is not used.
//
//go:embed *.go *.md go.mod go.sum api nimbustest
var Source embed.FS
