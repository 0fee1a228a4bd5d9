// Package ingress speaks SMTP with those who hand us mail: RFC 5321 with
// STARTTLS, PIPELINING, CHUNKING, 8BITMIME, SMTPUTF8, DSN, SIZE and
// ENHANCEDSTATUSCODES. It knows the dialogue and nothing else: no tenant, no key,
// no store. Every complete message goes to Server.Accept while it streams in, and
// Accept's answer is the client's answer.
//
// The way of the octets: wire (lines and buffers of one connection) → session (one
// file per verb) → dots or chunks (where content ends) → body (what Accept reads).
//
// What keeps a line a line: only CRLF ends a command and only CRLF.CRLF ends DATA.
// A bare CR or LF inside content is content and reaches Accept as it came. Octets
// of a BDAT chunk are consumed whatever is wrong with the command, or the
// connection is closed; octets that came in plaintext after STARTTLS are thrown
// away. So nothing that is not a command is ever run as one.
//
// Accept runs on the session's own goroutine and pulls the content from the
// connection; between BDAT chunks the chunk reader answers the client itself.
// There is no pipe and no second goroutine, and an idle session holds 4 KiB.
package ingress
