package guide

import (
	"slices"
	"strings"

	"postern/internal/mail"
)

// Plan is what the steps are filled with. Everything is as it goes into Exchange.
type Plan struct {
	Brand         string
	Domains       []string
	MTAs          map[string][]string // by domain, "host:port"; may be empty
	Addresses     []string
	Pairs         []string // what stands before the spoof type: "*, 192.0.2.10"
	SmartHost     string
	TLSName       string
	CertBound     bool // the receive connector goes by certificate name
	Organization  bool // "Your organization" connectors
	ReceiveName   string
	SendName      string
	RedirectRules []Rule
	ClutterName   string
	Strip         []Strip // rules that take our headers out of foreign mail
	CredsHeader   string
	Processed     string // header that returned mail bears
	Word          string // that the exception looks for; "" for no header exception
	Key           string // "" when only its hash is known
	Internal      bool   // mail between the tenant's own people is redirected too
	SafeList      bool
	Mailbox       string
	ArcSealer     string
	OutboundRule  string
	Portal        string // address of Postern's portal; may be empty
}

// Rule is one redirect rule and its domains.
type Rule struct {
	ID, Name string
	Domains  []string
}

// Strip is one rule that removes a header.
type Strip struct{ ID, Name, Header string }

// Status is whether a step is done.
type Status string

const (
	Unknown Status = "unknown" // not connected, or nothing to read
	Done    Status = "done"
	Open    Status = "open"
)

// A Step is one thing to do.
type Step struct {
	ID      string          `json:"id"` // "G1.6"
	Section mail.Sentence   `json:"section"`
	Title   mail.Sentence   `json:"title"`
	Where   mail.Sentence   `json:"where"` // the way there
	Do      []mail.Sentence `json:"do"`
	Values  []Value         `json:"values"` // to copy
	Note    mail.Sentence   `json:"note,omitzero"`
	Status  Status          `json:"status"`

	checks []check
}

// A Value is something to paste into a field.
type Value struct {
	Label  mail.Sentence `json:"label"`
	Text   string        `json:"text"` // "***" in JSON and in print if Secret
	Secret bool          `json:"secret,omitempty"`
	plain  string
}

// Plain is the value itself, secrets too, for the copy button of a page that only
// an administrator sees.
func (v Value) Plain() string { return v.plain }

func val(label mail.Sentence, text string) Value { return Value{Label: label, Text: text, plain: text} }

func secret(label mail.Sentence, text string) Value {
	return Value{Label: label, Text: "***", Secret: true, plain: text}
}

// do are sentences without values.
func do(formats ...string) []mail.Sentence {
	list := make([]mail.Sentence, len(formats))
	for i, f := range formats {
		list[i] = mail.Say(f)
	}
	return list
}

// check names a field of an object that a step is about; field "" for being there.
type check struct{ object, field string }

// A Finding is one drift, as verification found it.
type Finding struct{ Object, Field string }

// Mark sets each step's status from a verification: done if nothing that it is
// about has a drift. Steps that are about nothing in Exchange stay unknown.
func Mark(list []Step, drift []Finding) {
	for i := range list {
		s := &list[i]
		if len(s.checks) == 0 {
			continue
		}
		s.Status = Done
		for _, c := range s.checks {
			if slices.ContainsFunc(drift, func(f Finding) bool { return f.hits(c) }) {
				s.Status = Open
			}
		}
	}
}

// hits reports whether a drift is about c: the same object, and either it is
// missing as a whole, or c's field is wrong.
func (f Finding) hits(c check) bool {
	return f.Object == c.object && (f.Field == "" || f.Field == c.field)
}

func of(object string, fields ...string) []check {
	list := []check{{object, ""}}
	for _, f := range fields {
		list = append(list, check{object, f})
	}
	return list
}

func lines(list []string) string { return strings.Join(list, "\n") }
