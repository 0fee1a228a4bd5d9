// Package exchange sets up Exchange Online so that it hands a tenant's inbound
// mail to the relay and takes it back: everything the two reference guides do by
// hand, from one desired state.
//
//	Want    what should be there: a pure function of the tenant's Spec
//	Read    what is there
//	Plan    the difference, as an ordered list of cmdlet calls with their reasons
//	Apply   does the plan, journaled before each call, so that it can be resumed and undone
//	Verify  names every drift, field by field
//	Rollback puts everything back as it was before Postern first touched it
//
// The same desired state is also written as a PowerShell script (package script)
// and as steps for a person (package guide); adminapi is the wire, signin the
// credential. Nothing here decides about mail, and nothing here keeps secrets:
// the journal is the caller's, and must be sealed by it, since it holds the values
// that a roll back restores.
//
// One thing is refused for good: RestrictDomainsToIPAddresses (and its twin for
// certificates) is never set to true, because with SenderDomains "*" Exchange
// would then reject every other sender of the Internet.
package exchange
