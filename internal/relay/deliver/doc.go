// Package deliver hands messages to the next hop.
//
// Sender.Send is the spine: for each MTA of the job, the healthy ones first, it
// takes a connection (pool.go, or connect.go: look up, ask the guard, greet, EHLO,
// STARTTLS), runs the transaction (transact.go: envelope, then content.go, whose
// line ends are made right on the way out) and says for each recipient what
// became of it. What the other side says passes reply.go first and is bounded.
//
// Queue decides when a destination may be tried, fairly between tenants. Resolve,
// CheckMTA and Sender.Test are for people who set an MTA up.
//
// Nothing here knows the store: Send reports, the relay remembers. No bounce is
// ever written here (product.md M15).
package deliver
