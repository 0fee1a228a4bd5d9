// Package report turns counted days into what people read: numbers, plots, CSV,
// PDF, and a message that carries it. The roller that counts runs here too.
//
// Nothing here reads the ledger or the mail: a report knows only what
// store.Counted and store.Days know. Sentences go through Words, so that a report
// speaks its reader's language. Pages and PDF draw from one geometry, Plot.
package report
