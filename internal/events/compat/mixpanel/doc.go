// Package mixpanel is the wire format of Mixpanel: events, imports, and operations on the profiles of people and groups.
package mixpanel
