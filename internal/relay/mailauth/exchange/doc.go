// Package exchange reads what Exchange Online wrote into a message on its way to
// us: where it came from and what Microsoft thinks of it.
//
// Headers prove nothing by themselves. The caller must know that our peer was
// Exchange; then the fields that Exchange put on top are its word, down to the
// Received field of its edge, where the message entered. Everything below came
// with the message. The fields that Exchange appends at the end of the header are
// believed only where they agree with those on top.
package exchange
