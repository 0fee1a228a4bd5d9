// Package htmltext turns HTML into the text that a reader sees and the links that
// he could follow. Text that the sender hid from the reader is kept apart. It
// works on tokens in one pass, keeps a bounded stack and never runs anything.
package htmltext
