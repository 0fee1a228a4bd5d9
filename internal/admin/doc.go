// Package admin holds every change a person can make to a running Postern, one
// function each: checked, written to the audit log, and the same whether the
// portal, the API or the command line is the door. Nothing else changes tenants,
// domains, keys, rules or held mail.
package admin
