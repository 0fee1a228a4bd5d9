package exchange

import (
	"fmt"
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

	// Say and With are what Cause was made of, for those who say it in another
	// language: a sentence with %s, and the values. Say is "" where Cause has none.
	Say  string   `json:"say,omitempty"`
	With []string `json:"with,omitempty"`
}

// NewProblem makes a Problem whose cause holds values; err may be nil.
func NewProblem(code, say, mend string, err error, with ...string) *Problem {
	p := &Problem{Code: code, Cause: say, Mend: mend, Err: err}
	if len(with) > 0 {
		values := make([]any, len(with))
		for i, v := range with {
			values[i] = v
		}
		p.Cause, p.Say, p.With = fmt.Sprintf(say, values...), say, with
	}
	return p
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
