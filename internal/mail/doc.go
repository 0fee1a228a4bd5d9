// Package mail holds the nouns that every stage of Postern speaks in: the
// envelope, the header as octets, the parsed message, what was found in it, the
// verdict and what became of each recipient. It does no I/O and knows no other
// package of ours.
package mail
