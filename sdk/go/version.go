package nimbus

// Version is that of this module; CHANGELOG.md says what changed. Requests carry it in their User-Agent.
const Version = "0.3.0"

const userAgent = "nimbus-go/" + Version
