// Package dkim verifies and makes DKIM signatures (RFC 6376) under the stricter
// rules of RFC 8301 and RFC 8463. It knows the octets of one message and DNS
// answers, nothing of policy, and it is the core on which package arc stands.
//
// A Message is prepared once and shared by all signatures: the header is split
// and indexed, and each kind of body hash is computed once. Octets are hashed
// where they lie; only what canonicalisation changes is copied.
package dkim
