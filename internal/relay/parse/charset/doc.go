// Package charset turns text in any of the character sets that mail names, or
// fails to name, into UTF-8. It never fails: what cannot be read stands as U+FFFD,
// and a name that is unknown or wrong leads to the best guess.
package charset
