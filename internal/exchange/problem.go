package exchange

import (
	"encoding/json"

	"postern/internal/mail"
)

// A Problem is a failure told to a person: what happened and why, and how to
// mend it, each in sentences.
type Problem struct {
	Code  string // stable: "insufficient-role", "throttled" ...
	Cause mail.Sentence
	Mend  mail.Sentence
	Err   error // what it was made of, for the log
}

// keptProblem is a Problem as the journal stores it.
type keptProblem struct {
	Code  string    `json:"code"`
	Cause mail.Kept `json:"cause"`
	Mend  mail.Kept `json:"mend"`
}

// MarshalJSON keeps the values, so that the problem can be told in any language.
func (p *Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(keptProblem{p.Code, mail.Kept{Sentence: p.Cause}, mail.Kept{Sentence: p.Mend}})
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Problem) UnmarshalJSON(b []byte) error {
	var k keptProblem
	err := json.Unmarshal(b, &k)
	*p = Problem{Code: k.Code, Cause: k.Cause.Sentence, Mend: k.Mend.Sentence}
	return err
}

// NewProblem makes a Problem; err may be nil.
func NewProblem(code string, cause, mend mail.Sentence, err error) *Problem {
	return &Problem{Code: code, Cause: cause, Mend: mend, Err: err}
}

func (p *Problem) Error() string { return p.Told().String() }

func (p *Problem) Unwrap() error { return p.Err }

// Told is cause and mend.
func (p *Problem) Told() mail.Sentence { return mail.Together(p.Cause, p.Mend) }
