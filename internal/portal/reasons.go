package portal

import reasons "postern/internal/reason"

// A telling is a sentence of a judgement or of the ledger, as its reader sees it.
type telling struct {
	Text string // may quote a message: templates show it by "told"
	Lang string // "en" for what stays English on a page in another language, else ""
}

// Told is a sentence of a judgement or of the ledger in the reader's language.
func (w *words) Told(english string) telling {
	s, ok := reasons.Say(w.Lang, english)
	if !ok {
		return telling{s, "en"}
	}
	return telling{Text: s}
}
