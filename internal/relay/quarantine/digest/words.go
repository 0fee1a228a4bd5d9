package digest

import (
	"embed"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

//go:embed words
var files embed.FS

// Languages are those in which recipients are written to.
func Languages() []string { return []string{"en", "de", "fr", "es"} }

// words are the sentences in one language. English ones are their own keys.
type words struct {
	lang string
	say  map[string]string
}

var all = sync.OnceValue(func() map[string]words {
	m := map[string]words{}
	for _, lang := range Languages() {
		w := words{lang: lang, say: map[string]string{}}
		b, err := files.ReadFile("words/" + lang + ".json")
		if err == nil {
			err = json.Unmarshal(b, &w.say)
		}
		if err != nil {
			panic(fmt.Sprintf("digest: words of %s: %v", lang, err)) // embedded, and tested
		}
		m[lang] = w
	}
	return m
})

// wordsIn are the words of a language, English for one we do not speak.
func wordsIn(lang string) words {
	if w, ok := all()[lang]; ok {
		return w
	}
	return all()["en"]
}

// T says a sentence.
func (w words) T(english string, args ...any) string {
	s, ok := w.say[english]
	if !ok {
		s = english
	}
	if len(args) > 0 {
		return fmt.Sprintf(s, args...)
	}
	return s
}

// layouts are how languages write a moment.
var layouts = map[string]string{"en": "2 Jan 2006, 15:04 MST", "de": "02.01.2006, 15:04 MST", "fr": "02/01/2006 15:04 MST", "es": "02/01/2006 15:04 MST"}

// Lang is the language, for the html element.
func (w words) Lang() string { return w.lang }

func (w words) when(t time.Time, zone *time.Location) string {
	return t.In(zone).Format(layouts[w.lang])
}

// verdicts are the classes in words for people who know nothing of them.
var verdicts = map[string]string{
	"clean": "could not be delivered", "bulk": "looks like advertising", "spam": "looks like spam", "suspicious": "could not be fully checked",
	"phish": "looks like fraud", "malware": "is dangerous", "unjudged": "could not be checked", "": "could not be checked",
}
