package exchange

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Problem is a failure told to a person: what happened and why, and how to
// mend it, each in sentences.
type Problem struct {
	Code  string `json:"code"`  // stable: "insufficient-role", "throttled" ...
	Cause string `json:"cause"` // sentence
	Mend  string `json:"mend"`  // sentence
	Err   error  `json:"-"`     // what it was made of, for the log
}

func (p *Problem) Error() string { return p.Cause + " " + p.Mend }

func (p *Problem) Unwrap() error { return p.Err }

// sentence begins s with a capital letter and ends it with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
