// Package parse understands a message: octets in, header, parts, text and links
// out (mail.Message). It never refuses, never panics and does no I/O, because it
// runs inside the judge's locked-down child on octets chosen by an attacker.
//
// Every message is read at least twice. The strict reading takes it as RFC 5322 and
// RFC 2045 to 2049 say. Where the octets leave room for another opinion, the lenient
// reading makes the parts that forgiving mail clients would make: at every line that
// could be a boundary, with every encoding a header mentions, from every place where
// a body could begin. Carving then decodes whatever looks encoded, wherever it
// stands. A well-formed message pays for the checks, not for the other readings.
// What only one reading sees is a Part of its own, marked with its Reading; where
// that matters it is also a finding that makes policy hold the message.
//
// The budgets of Limits bound time and memory; one that is reached is a finding too,
// never a silent cut.
//
// Nothing that judges may enter here: a finding of this package says "readers
// differ" or "could not look", not "bad".
package parse
