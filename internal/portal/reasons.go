package portal

import (
	reasons "postern/internal/reason"
	"postern/internal/report"
)

// A telling is a sentence of a judgement or of the ledger, as its reader sees it.
type telling struct {
	Text    string // may quote a message: templates show it by "told"
	Lang    string // "en" for what stays English on a page in another language, else ""
	English string // as the ledger has it, where Text is another language's
}

// Told is a sentence of a judgement or of the ledger in the reader's language.
func (w *words) Told(english string) telling {
	s, ok := reasons.Say(w.Lang, english)
	if !ok {
		return telling{Text: s, Lang: "en"}
	}
	if s == english {
		english = ""
	}
	return telling{Text: s, English: english}
}

// RuleName says what a rule looks for.
func (w *words) RuleName(rule string) string { return report.Rule(w.T, rule) }
