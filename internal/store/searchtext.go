package store

import (
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"postern/internal/mail"
)

// A Field is a part of what is known of a message that can be searched.
type Field string

const (
	Anywhere     Field = ""
	FromField    Field = "from"    // reverse-path and From field
	ToField      Field = "to"      // recipient's address
	SubjectField Field = "subject" // decoded
	ReasonField  Field = "reason"  // each sentence
	FileField    Field = "file"    // name of an attachment or of what is packed in one
	LinkField    Field = "link"    // host that a link leads to
)

// A Term is what must occur in a field, in any case and with or without accents.
type Term struct {
	Field Field
	Part  string
}

// Kinds of grams: the first octet of each, so that a field's stand together.
const (
	gramFrom    = 'f'
	gramTo      = 't'
	gramSubject = 's'
	gramReason  = 'r'
	gramFile    = 'a'
	gramLink    = 'l'
	gramVerdict = 'v' // with the beginning of a recipient's verdict
	gramState   = 'z' // with the end of a recipient's state when the block was built
	gramHeld    = 'h' // a recipient's copy was held at some time
	gramID      = 'm' // with a hash of the Message-ID
)

// gramOf are the grams' kinds of each field.
var gramOf = map[Field]byte{FromField: gramFrom, ToField: gramTo, SubjectField: gramSubject, ReasonField: gramReason, FileField: gramFile, LinkField: gramLink}

// A gram is a kind and three octets of a folded text: the unit of the index.
type gram uint32

func newGram(kind, a, b, c byte) gram {
	return gram(kind)<<24 | gram(a)<<16 | gram(b)<<8 | gram(c)
}

// grams calls yield for every three octets of a folded text and of two NULs after
// it, so that each of its octets begins one: then the grams that begin with one or
// two octets are those of the texts that have them.
func grams(kind byte, folded string, yield func(gram)) {
	for i := 0; i+3 <= len(folded); i++ {
		yield(newGram(kind, folded[i], folded[i+1], folded[i+2]))
	}
	switch n := len(folded); {
	case n >= 2:
		yield(newGram(kind, folded[n-2], folded[n-1], 0))
		fallthrough
	case n == 1:
		yield(newGram(kind, folded[n-1], 0, 0))
	}
}

// A span is the grams from one to another. Mostly it is one gram.
type span struct{ low, high gram }

// wordGram is the gram of one of our own words, such as a verdict.
func wordGram(kind byte, word string) gram {
	word += "\x00\x00\x00"
	return newGram(kind, word[0], word[1], word[2])
}

// stateGram takes the end of the word, where states differ.
func stateGram(s mail.State) gram { return wordGram(gramState, string(s[max(0, len(s)-3):])) }

func idGram(messageID string) gram {
	h := fnv.New32a()
	h.Write([]byte(messageID))
	n := h.Sum32()
	return newGram(gramID, byte(n>>16)^byte(n>>24), byte(n>>8), byte(n))
}

const mostGrams = 10 // of one term that are looked up; more exclude hardly anything more

// termGrams are the spans of grams that a text must each have one of to contain
// part, at most mostGrams.
func termGrams(kind byte, part string) (list []span) {
	switch len(part) {
	case 1:
		return []span{{newGram(kind, part[0], 0, 0), newGram(kind, part[0], 255, 255)}}
	case 2:
		return []span{{newGram(kind, part[0], part[1], 0), newGram(kind, part[0], part[1], 255)}}
	}
	for i := 0; i+3 <= len(part); i++ {
		g := newGram(kind, part[i], part[i+1], part[i+2])
		list = append(list, span{g, g})
	}
	if len(list) <= mostGrams {
		return list
	}
	spread := make([]span, mostGrams)
	for i := range spread {
		spread[i] = list[i*(len(list)-1)/(mostGrams-1)]
	}
	return spread
}

// fold makes texts that people take for the same equal: capital and small letters,
// letters with and without accents, wide and narrow forms.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) {
					return -1
				}
				return unicode.ToLower(r)
			}, norm.NFKD.String(text(s)))
		}
	}
	return strings.ToLower(s)
}

// searched is what of one recipient's copy can be searched, folded when asked for.
type searched struct {
	from    [2]string
	to      string
	subject string
	reasons string // one a line
	files   []string
	links   []string
}

// in are the texts of one field.
func (s *searched) in(f Field) []string {
	switch f {
	case FromField:
		return s.from[:]
	case ToField:
		return []string{s.to}
	case SubjectField:
		return []string{s.subject}
	case ReasonField:
		return []string{s.reasons}
	case FileField:
		return s.files
	case LinkField:
		return s.links
	}
	return nil
}

var everyField = []Field{FromField, ToField, SubjectField, ReasonField, FileField, LinkField}

// has reports whether a folded part occurs in a field, or in any.
func (s *searched) has(t Term) bool {
	if t.Field == Anywhere {
		for _, f := range everyField {
			if s.has(Term{f, t.Part}) {
				return true
			}
		}
		return false
	}
	for _, text := range s.in(t.Field) {
		if t.Field == ReasonField {
			for _, line := range splitLines(text) {
				if strings.Contains(fold(line), t.Part) {
					return true
				}
			}
		} else if strings.Contains(fold(text), t.Part) {
			return true
		}
	}
	return false
}

// kept is what of a judgement can be searched.
type kept struct {
	Parts []struct {
		Name string `json:"name"`
	} `json:"parts"`
	Links []string `json:"links"`
}

// names are the files and hosts in a stored judgement.
func (k *kept) names() (files, links []string) {
	for _, p := range k.Parts {
		if p.Name != "" {
			files = append(files, p.Name)
		}
	}
	return files, k.Links
}

// terms are all the terms of a filter, folded; empty ones mean nothing.
func (f TraceFilter) terms() []Term {
	list := append([]Term{{FromField, f.From}, {ToField, f.To}, {SubjectField, f.Subject}, {ReasonField, f.Reason},
		{FileField, f.Attachment}, {LinkField, f.Link}, {Anywhere, f.Text}}, f.Terms...)
	var out []Term
	for _, t := range list {
		if part := fold(text(strings.TrimSpace(t.Part))); part != "" {
			out = append(out, Term{t.Field, part})
		}
	}
	return out
}
