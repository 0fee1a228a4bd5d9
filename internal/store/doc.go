// Package store remembers everything: the ledger of messages and recipients, the
// octets small enough to ride in the ledger's commit, tenants with their domains,
// keys and rules, the audit chain, alarms and settings. It keeps them in SQLite
// (one node) or PostgreSQL (several nodes sharing the work), and one contract
// test runs against both. All SQL of Postern is here.
//
// The way of a write: every change is handed to one writer goroutine, which
// commits whatever waits in one transaction and then answers all who waited (group
// commit without a timer). After nil the change is on disk. Reads use connections
// of their own and never wait for the writer.
//
// The way of a recipient: Accept inserts it leased to this node; Advance moves it
// from state to state; one that must wait gets a time and is free until Claim
// leases it again; Release turns a held one back into work. A lease is a number
// that Advance checks, so a node that was thought dead cannot undo another's work.
//
// What may not enter: decisions about mail. The store neither judges nor delivers,
// and it sees content only sealed.
package store
