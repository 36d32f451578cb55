// Package posthog is the wire format of PostHog: events in both of its versions, and stubs of what its SDKs ask for beside.
package posthog
