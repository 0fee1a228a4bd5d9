// Package digest writes the mail that goes to recipients themselves, the digest of
// what is held for them and the link with which they sign in, and makes and reads
// the tokens of its links. It has no clock and no I/O of its own. Texts of strangers
// stand in it so that they show what they are and lead nowhere (safety.md R38).
package digest
