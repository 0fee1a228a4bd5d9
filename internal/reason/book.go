package reason

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed words
var files embed.FS

// A book is everything that is said in one language.
type book struct {
	exact   map[string]string // sentences and words without values
	formats []format          // those with values, the surest first
	marks   *strings.Replacer // English quotation marks to the language's
}

type format struct {
	pattern pattern
	said    string // of fmt, every value a string
}

// marks are the quotation marks of the languages.
var marks = map[string][2]string{"de": {"„", "“"}, "fr": {"«\u00a0", "\u00a0»"}, "es": {"«", "»"}}

// books are read when somebody first asks for one.
var books = sync.OnceValue(func() map[string]*book {
	all := map[string]*book{}
	for lang, m := range marks {
		b := &book{exact: map[string]string{}, marks: strings.NewReplacer("“", m[0], "”", m[1])}
		for _, area := range areas(lang) {
			for english, said := range area {
				if !verb.MatchString(english) {
					b.exact[english] = said
					continue
				}
				b.formats = append(b.formats, format{newPattern(english), verb.ReplaceAllString(said, "%${1}s")})
			}
		}
		slices.SortFunc(b.formats, func(x, y format) int {
			if d := y.pattern.size() - x.pattern.size(); d != 0 {
				return d
			}
			return strings.Compare(strings.Join(x.pattern.fixed, "%"), strings.Join(y.pattern.fixed, "%"))
		})
		all[lang] = b
	}
	return all
})

// areas are a language's message files by their names.
func areas(lang string) map[string]map[string]string {
	all := map[string]map[string]string{}
	names, _ := fs.Glob(files, "words/"+lang+"/*.json") // the pattern is well formed
	for _, name := range names {
		said := map[string]string{}
		b, err := files.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(b, &said)
		}
		if err != nil {
			panic(fmt.Sprintf("reason: words in %s: %v", name, err)) // embedded, and tested
		}
		all[strings.TrimSuffix(path.Base(name), ".json")] = said
	}
	return all
}
