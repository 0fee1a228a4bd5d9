// Package reason says in German, French and Spanish what scanners, policy and the
// ledger write down in English: why a message was judged as it was, and what
// became of it.
//
// The English sentence is the only record. Its format stands once, where the
// sentence is made; the message files below words/ have the same format as the
// key of its translation, an area of the scanners a file. A sentence of the
// ledger is recognised by its format, its values are read out of it, and put into
// the translation. So nothing more is stored, judging does no more than it did,
// and mail that was judged years ago is explained in every language that was
// added since. Decision 17 tells what else was thought of.
//
// A test here compares the message files with the formats in the source, so a
// sentence cannot be added or changed without its translations.
package reason
