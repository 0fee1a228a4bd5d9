// Package twin is a stand-in for Exchange Online: one or several tenants whose
// configuration is changed only through cmdlets, and the mail flow that acts on
// that same configuration. Postern's demo and tests set up a tenant as an
// administrator would, send mail to its MX from a simulated Internet, and see
// where it went.
//
// It is built from documented facts and captured mail alone, and imports nothing
// of Postern, so that it cannot share Postern's mistakes. Where Microsoft's
// behaviour is not known, the comment says so, and an option switches it where
// that matters.
//
// The way of a message: smtp.go takes it at the MX, attribute.go finds its tenant
// and connector, authenticate.go looks at SPF, DKIM, DMARC and ARC, rules.go runs
// the mail flow rules, filter.go gives the verdict, stamp.go writes the headers,
// and deliver.go puts it in a mailbox, in quarantine, or in the queue of a
// connector (queue.go), from which a refusal becomes an NDR (ndr.go).
//
// The way of a command: adminapi.go takes it over HTTP (login/ gave the token) or
// script.go from a PowerShell script (ps/ ran it); cmdlet/ binds its parameters,
// invoke.go finds who does it, change.go and its neighbours do it, check.go and
// rulecheck.go hold the result to the service's rules, and shelf.go keeps it.
package twin
