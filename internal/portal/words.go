package portal

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"golang.org/x/text/language"

	"postern/internal/mail"
	notices "postern/internal/notice"
	reasons "postern/internal/reason"
)

//go:embed locales
var locales embed.FS

// words are the portal's sentences in one language, a file for each area. English ones are their own
// keys, so that a page reads as what it says.
type words struct {
	Lang string // "en"
	say  map[string]string
}

// A tongue is a language that the portal speaks.
type tongue struct{ Code, Name string }

// tongues are all languages, with the names their speakers give them.
func tongues() []tongue {
	return []tongue{{"en", "English"}, {"de", "Deutsch"}, {"fr", "Français"}, {"es", "Español"}}
}

var dictionary = loadWords()

func loadWords() map[string]*words {
	all := map[string]*words{}
	for _, t := range tongues() {
		w := &words{Lang: t.Code, say: map[string]string{}}
		names, _ := fs.Glob(locales, "locales/"+t.Code+"/*.json") // the pattern is well formed
		for _, name := range names {
			b, err := locales.ReadFile(name)
			if err == nil {
				err = json.Unmarshal(b, &w.say) // into the same map, file by file
			}
			if err != nil {
				panic(fmt.Sprintf("portal: words in %s: %v", name, err)) // embedded, and tested
			}
		}
		all[t.Code] = w
	}
	return all
}

// T says a sentence in the visitor's language, English where it has none.
func (w *words) T(english string, args ...any) string {
	s, ok := w.say[english]
	if !ok || s == "" {
		s = english
	}
	if len(args) > 0 {
		return fmt.Sprintf(s, args...)
	}
	return s
}

// Said says a sentence from below in the visitor's language, with its values.
func (w *words) Said(s mail.Sentence) string { return s.In(w.T) }

// Alarm says an alarm in the visitor's language; what holds mail is said as on the
// message itself.
func (w *words) Alarm(s mail.Sentence) string {
	if text, ok := reasons.Say(w.Lang, s.Format); ok && len(s.Args) == 0 {
		return text
	}
	return w.Said(s)
}

// Letters are the words of notices in a language, English for one that is not spoken.
func Letters(code string) notices.Words {
	w := dictionary[code]
	if w == nil {
		w = dictionary["en"]
	}
	return notices.Words{Say: w.T, Alarm: w.Alarm}
}

// Wrong says why something failed in the visitor's language.
func (w *words) Wrong(err error) string { return w.Said(mail.Told(err)) }

// Weekday is a day of the week by its number, Sunday 0.
func (w *words) Weekday(day string) string {
	t := w.T
	switch day {
	case "1":
		return t("Monday")
	case "2":
		return t("Tuesday")
	case "3":
		return t("Wednesday")
	case "4":
		return t("Thursday")
	case "5":
		return t("Friday")
	case "6":
		return t("Saturday")
	}
	return t("Sunday")
}

// Words are these words, for components that take them.
func (w *words) Words() *words { return w }

// Tongues are the languages to choose from.
func (w *words) Tongues() []tongue { return tongues() }

var matcher = language.NewMatcher([]language.Tag{language.English, language.German, language.French, language.Spanish})

// wordsFor is the language that a visitor chose, or that the browser prefers.
func wordsFor(r *http.Request) *words {
	if c, err := r.Cookie("postern-language"); err == nil && dictionary[c.Value] != nil {
		return dictionary[c.Value]
	}
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(tags) == 0 {
		return dictionary["en"]
	}
	_, i, _ := matcher.Match(tags...)
	return dictionary[tongues()[i].Code]
}

func themeOf(r *http.Request) string {
	if c, err := r.Cookie("postern-theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// appearance keeps a visitor's language and colours in the browser.
func (p *Portal) appearance(w http.ResponseWriter, r *http.Request, _ *visit) error {
	const year = 365 * 24 * 3600
	if l := r.PostFormValue("language"); dictionary[l] != nil {
		setCookie(w, r, "postern-language", l, year)
	}
	switch t := r.PostFormValue("theme"); t {
	case "light", "dark", "system":
		setCookie(w, r, "postern-theme", t, year)
	}
	return redirect(w, r, local(r.PostFormValue("back")))
}

// local is a path of this portal, "/" for anything that could lead elsewhere.
func local(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		return "/"
	}
	return to
}
