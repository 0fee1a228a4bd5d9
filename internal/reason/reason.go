package reason

import (
	"fmt"
	"strings"
)

// maxNested is how deep sentences stand within sentences: a decision within an
// event, a file's title within a decision, the title's words.
const maxNested = 4

// Say is an English sentence of a judgement in the language lang ("de"). The
// sentence comes back as it is, and ok is false, when it is none that is known in
// that language; what Say returns then is English. It may quote a message, so it
// is shown as carefully as the English one.
func Say(lang, english string) (s string, ok bool) {
	if lang == "en" {
		return english, true
	}
	b := books()[lang]
	if b == nil {
		return english, false
	}
	s, ok = b.say(english, maxNested)
	if !ok {
		return english, false
	}
	return s, true
}

// Name is a word of a judgement, such as a verdict, in the language lang, and the
// English word where there is none.
func Name(lang, english string) string {
	s, _ := Say(lang, english)
	return s
}

// say translates a whole sentence, or a value that is words of ours.
func (b *book) say(english string, nested int) (string, bool) {
	if said, ok := b.exact[english]; ok {
		return said, true
	}
	if nested == 0 {
		return "", false
	}
	for i := range b.formats {
		f := &b.formats[i]
		values, ok := f.pattern.match(english)
		if !ok {
			continue
		}
		if said, ok := b.fill(f, values, nested-1); ok {
			return said, true
		}
	}
	return "", false
}

// fill puts values into a translation. A joint, whose own words could be
// anybody's, holds only what is known.
func (b *book) fill(f *format, values []string, nested int) (string, bool) {
	said := make([]any, len(values))
	for i, v := range values {
		switch f.pattern.verbs[i] {
		case 'd':
			said[i] = grouped(v)
		case 'f':
			said[i] = strings.Replace(v, ".", ",", 1)
		case 'q':
			said[i] = v
		default:
			words, ok := b.say(v, nested)
			if !ok {
				if f.pattern.joint {
					return "", false
				}
				words = b.marks.Replace(v)
			}
			said[i] = words
		}
	}
	return fmt.Sprintf(f.said, said...), true
}

// grouped is a number with blanks between thousands, which every language reads.
func grouped(digits string) string {
	if len(digits) < 5 {
		return digits
	}
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune('\u00a0')
		}
		b.WriteRune(c)
	}
	return b.String()
}
