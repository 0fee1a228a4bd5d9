// Package webhook tells other programs what happened: an alarm, a message held or
// released. A notice is a POST of JSON, signed so that the receiver knows whose it
// is and when it was sent:
//
//	Postern-Event: held
//	Postern-Delivery: 01K9...            the same for every attempt of one notice
//	Postern-Signature: t=1795305600,v1=5257a869e7...
//
// v1 is the HMAC-SHA256, in hexadecimal, of t, a dot and the body, under the
// endpoint's secret. Verify does it in Go; in a shell:
//
//	printf '%s.%s' "$t" "$body" | openssl dgst -sha256 -hmac "$secret"
//
// A receiver refuses a t that is minutes old, so that a notice cannot be played
// again, and answers 2xx. Other answers, and silence, are tried again with growing
// pauses; 4xx but 408 and 429 are not.
//
// Notices wait in memory, a bounded number for each endpoint, and never make mail
// wait. They are a convenience: what must not be missed stays in the store as an
// alarm, and in the trace.
//
// What may not enter: subjects and content of mail. The text of an alarm may quote
// what an MTA answered.
package webhook
