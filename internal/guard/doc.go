// Package guard says which addresses a connection of ours may go to. Every stage
// that connects to a place that a person, a name in DNS or a message chose asks it,
// so that nobody can send us to this machine's own services, to a cloud's metadata
// or round in a circle.
package guard
