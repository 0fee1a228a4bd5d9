// Package scan looks for what is wrong with a parsed message. Each scanner is a
// folder below this one; they run side by side within a budget, know nothing of
// each other, and only say what they found. What it means for a recipient is
// policy's business.
//
// A scanner that fails, panics or does not finish is a finding too: a message
// that could not be looked at is never clean. Engines (clamd, rspamd) make the
// same findings with the help of another program; they need sockets and
// therefore run outside the sandbox in which scanners run.
package scan
