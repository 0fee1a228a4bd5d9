// Package replay decides mail of the last days again under other rules, so that
// people see what a change would do before they make it. It reads the judgements
// that the ledger keeps, once and in the background, into a Book of weights; a
// question is then one pass over the book. It changes nothing.
package replay
