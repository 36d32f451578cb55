package nimbus

import "embed"

// Source is the source of this module, which a running Nimbus serves to the go command as the module's zip. No other
// program has a use for it, and none has it inside: the linker leaves out what is not used. The files are named one by one,
// because a pattern would find the tests too, which not every build of the server has.
//
//go:embed go.mod go.sum README.md CHANGELOG.md
//go:embed calls.go config.go doc.go encode.go errors.go event.go operation.go sender.go sign.go source.go spool.go spool_other.go
//go:embed spool_unix.go tracker.go version.go visitor.go api/api.go api/client.gen.go api/pages.go nimbustest/recorder.go
var Source embed.FS
