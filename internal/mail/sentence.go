package mail

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Sentence is what Postern says to a person: an English sentence with verbs of
// fmt, and the values. The English format is its code, under which the portal's
// message files have the other languages; API, command line and logs read String.
// A value may be a Sentence itself, or an error; inside another sentence it loses its
// full stop. A time.Time is said in UTC, and a Day without its hour.
type Sentence struct {
	Format string
	Args   []any
}

// Moment and Date are how a sentence says a time, as layouts of package time. Other
// languages have their own, as they have their own sentences.
const (
	Moment = "2 January 2006, 15:04 UTC"
	Date   = "2 January 2006"
)

// A Day is a time of which a sentence says only the day.
type Day time.Time

// Say makes a sentence.
func Say(format string, args ...any) Sentence { return Sentence{format, args} }

// With is the same sentence with these values.
func (s Sentence) With(args ...any) Sentence { return Sentence{s.Format, args} }

// Together puts sentences behind one another.
func Together(list ...Sentence) Sentence {
	var args []any
	for _, s := range list {
		if s.Format != "" {
			args = append(args, s)
		}
	}
	return Sentence{strings.TrimSuffix(strings.Repeat("%s ", len(args)), " "), args}
}

func (s Sentence) String() string {
	return s.In(func(format string, args ...any) string {
		if len(args) == 0 {
			return format
		}
		return fmt.Sprintf(format, args...)
	})
}

// In is the sentence as say puts formats and values together, its parts first.
func (s Sentence) In(say func(format string, args ...any) string) string {
	if len(s.Args) == 0 {
		return say(s.Format)
	}
	args := make([]any, len(s.Args))
	for i, a := range s.Args {
		args[i] = a
		switch at := a.(type) {
		case time.Time:
			args[i] = at.UTC().Format(say(Moment))
		case Day:
			args[i] = time.Time(at).UTC().Format(say(Date))
		}
		if err, ok := a.(error); ok {
			if w := written(err); w != nil {
				a = w.Told()
			} else {
				args[i] = strings.TrimSuffix(err.Error(), ".")
			}
		}
		if part, ok := a.(Sentence); ok {
			text := part.In(say)
			if strings.Trim(s.Format, "%s ") != "" {
				text = strings.TrimSuffix(text, ".")
			}
			args[i] = text
		}
	}
	return say(s.Format, args...)
}

// MarshalText writes the sentence in English.
func (s Sentence) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes an English sentence, whose values are not told apart any more.
func (s *Sentence) UnmarshalText(b []byte) error {
	*s = Sentence{Format: string(b)}
	return nil
}

// A Refusal is an error that is written for a person.
type Refusal struct {
	say Sentence
	err error
}

// Refuse makes a Refusal as fmt.Errorf makes an error: it begins small, ends without
// a full stop, and %w wraps.
func Refuse(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Refusal{Say(whole(strings.ReplaceAll(format, "%w", "%s")), args...), err}
}

func (r *Refusal) Error() string { return r.err.Error() }

// Unwrap is what %w stands for, nil if there is none.
func (r *Refusal) Unwrap() error { return errors.Unwrap(r.err) }

// Told is the sentence, from capital letter to full stop.
func (r *Refusal) Told() Sentence { return r.say }

// Told is an error as a sentence: the error's own, or that of the first one below it
// that is written for a person, or else its text.
func Told(err error) Sentence {
	if w := written(err); w != nil {
		return w.Told()
	}
	return Sentence{Format: whole(err.Error())}
}

// teller is an error that is written for a person.
type teller interface {
	error
	Told() Sentence
}

func written(err error) teller {
	var w teller
	errors.As(err, &w)
	return w
}

// whole begins s with a capital letter and ends it with a full stop.
func whole(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}
