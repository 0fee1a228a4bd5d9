package admin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"postern/internal/mail"
	"postern/internal/store"
)

// A QueryError says what of a query is not understood.
type QueryError struct {
	Kind QueryKind
	Word string // the piece that it is about
}

// A QueryKind is what is wrong with a query.
type QueryKind string

const (
	QueryField   QueryKind = "field"   // a name before the colon that is not known
	QueryQuote   QueryKind = "quote"   // opened and not closed
	QueryVerdict QueryKind = "verdict" // no verdict of ours
	QueryState   QueryKind = "state"   // no state of ours
	QueryTime    QueryKind = "time"    // no time
	QueryTwice   QueryKind = "twice"   // what can be said once only
	QueryLong    QueryKind = "long"
)

func (e *QueryError) Error() string {
	switch e.Kind {
	case QueryField:
		return fmt.Sprintf("%s: is not known in a search: use from:, to:, subject:, reason:, file:, link:, verdict:, state:, before: or after:, or put the words in quotes", e.Word)
	case QueryQuote:
		return "a quote is opened in the search and not closed: close it, or leave it away"
	case QueryVerdict:
		return fmt.Sprintf("%s is no verdict: use clean, bulk, spam, suspicious, phish, malware or unjudged", e.Word)
	case QueryState:
		return fmt.Sprintf("%s is no state: use accepted, judged, delivering, delivered, held, dropped or returned", e.Word)
	case QueryTime:
		return fmt.Sprintf("%s is no time: write 2006-01-02, 2006-01-02T15:04, or how long ago, such as 7d or 24h", e.Word)
	case QueryTwice:
		return fmt.Sprintf("%s: can be said only once in a search", e.Word)
	}
	return fmt.Sprintf("the search is too long: at most %d words and %d characters", queryWords, queryLength)
}

const (
	queryLength = 500 // characters
	queryWords  = 20
)

// queryFields are the names before a colon that look into a field.
var queryFields = map[string]store.Field{"from": store.FromField, "to": store.ToField, "subject": store.SubjectField, "reason": store.ReasonField,
	"file": store.FileField, "attachment": store.FileField, "link": store.LinkField}

// SplitQuery cuts a query into its pieces: words, and whatever stands in quotes. Of
// an open quote the rest is one piece.
func SplitQuery(text string) (pieces []string) {
	var b strings.Builder
	quoted := false
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
			b.WriteRune(r)
		case unicode.IsSpace(r) && !quoted:
			if b.Len() > 0 {
				pieces = append(pieces, b.String())
			}
			b.Reset()
		default:
			b.WriteRune(r)
		}
	}
	if b.Len() > 0 {
		pieces = append(pieces, b.String())
	}
	return pieces
}

// ParseQuery reads what a person writes into one box: words, "words in quotes",
// from:ann, subject:"two words", verdict:phish, after:2006-01-02 (UTC), before:7d.
// All of it must be true of a message. The error is a *QueryError.
func ParseQuery(text string, now time.Time) (f store.TraceFilter, err error) {
	pieces := SplitQuery(text)
	if len(text) > 4*queryLength || len([]rune(text)) > queryLength || len(pieces) > queryWords {
		return f, &QueryError{Kind: QueryLong}
	}
	if strings.Count(text, `"`)%2 != 0 {
		return f, &QueryError{Kind: QueryQuote}
	}
	for _, piece := range pieces {
		if err := readPiece(piece, now, &f); err != nil {
			return store.TraceFilter{}, err
		}
	}
	return f, nil
}

func readPiece(piece string, now time.Time, f *store.TraceFilter) error {
	name, value, ok := strings.Cut(piece, ":")
	value = strings.ReplaceAll(value, `"`, "")
	lower := strings.ToLower(name)
	isName := ok && value != "" && len(name) > 1 && !strings.ContainsFunc(lower, func(r rune) bool { return r < 'a' || r > 'z' })
	if !isName {
		if part := strings.ReplaceAll(piece, `"`, ""); part != "" {
			f.Terms = append(f.Terms, store.Term{Part: part})
		}
		return nil
	}
	if field, ok := queryFields[lower]; ok {
		f.Terms = append(f.Terms, store.Term{Field: field, Part: value})
		return nil
	}
	switch lower {
	case "http", "https": // a link that somebody pasted
		host, _, _ := strings.Cut(strings.TrimLeft(value, "/"), "/")
		f.Terms = append(f.Terms, store.Term{Field: store.LinkField, Part: host})
		return nil
	case "verdict":
		v := mail.Verdict(strings.ToLower(value))
		if !slices.Contains([]mail.Verdict{mail.Clean, mail.Bulk, mail.Spam, mail.Suspicious, mail.Phish, mail.Malware, mail.Unjudged}, v) {
			return &QueryError{QueryVerdict, value}
		}
		return once(f.Verdict == "" || f.Verdict == v, lower, func() { f.Verdict = v })
	case "state":
		s := mail.State(strings.ToLower(value))
		if !slices.Contains([]mail.State{mail.Accepted, mail.Judged, mail.Delivering, mail.Delivered, mail.Held, mail.Dropped, mail.Returned}, s) {
			return &QueryError{QueryState, value}
		}
		return once(f.State == "" || f.State == s, lower, func() { f.State = s })
	case "after", "before":
		at, ok := readMoment(value, now)
		if !ok {
			return &QueryError{QueryTime, value}
		}
		if lower == "after" {
			return once(f.Since.IsZero(), lower, func() { f.Since = at })
		}
		return once(f.Until.IsZero(), lower, func() { f.Until = at })
	}
	return &QueryError{QueryField, name}
}

// once sets what can have one value only.
func once(free bool, name string, set func()) error {
	if !free {
		return &QueryError{QueryTwice, name}
	}
	set()
	return nil
}

// readMoment reads a time, or how long ago; UTC.
func readMoment(text string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(text, "d")); err == nil && strings.HasSuffix(text, "d") && n >= 0 && n < 10_000 {
		return now.Add(-time.Duration(n) * 24 * time.Hour), true
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), true
	}
	return time.Time{}, false
}
