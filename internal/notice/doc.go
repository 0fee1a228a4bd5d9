// Package notice tells people and programs of alarms: the first at once, what
// follows within the hour together at its end, so that a storm of alarms is never a
// storm of mail. What was told is kept in the store, so that a restart, or another
// node, tells nothing twice. How a notice is sent is the caller's.
package notice
