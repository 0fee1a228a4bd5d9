// Package sign makes and checks DKIM signatures (RFC 6376) and ARC sets (RFC 8617)
// for the twin, on the octets of a message. It has its own code for this, so that
// a mistake in Postern's cannot hide behind the same mistake here.
package sign
