// Package wire speaks SMTP for the twin, as server and as client, and keeps the
// octets of a message exactly: only CRLF.CRLF ends DATA, BDAT is binary, and
// nothing is normalised (RFC 5321, RFC 3030). It is written apart from Postern's
// own dialogue on purpose.
package wire
