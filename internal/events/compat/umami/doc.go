// Package umami is the wire format of Umami: events and what is known of people, one by one or in a list.
package umami
