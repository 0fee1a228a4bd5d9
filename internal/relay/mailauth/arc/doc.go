// Package arc verifies and extends Authenticated Received Chains (RFC 8617) on
// the core of package dkim. Whether a chain's sealers are to be believed is for
// policy: a valid chain only says that nobody changed what they wrote.
package arc
