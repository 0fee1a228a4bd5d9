package admin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/mail"
	"postern/internal/store"
)

func TestAQueryIsReadAsItIsMeant(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	in := func(field store.Field, part string) store.Term { return store.Term{Field: field, Part: part} }
	for _, tt := range []struct {
		name, query string
		want        store.TraceFilter
		wrong       QueryKind
	}{
		{name: "nothing", query: "  "},
		{name: "words anywhere", query: "invoice 4711", want: store.TraceFilter{Terms: []store.Term{in("", "invoice"), in("", "4711")}}},
		{name: "quotes keep words together", query: `"two words" x`, want: store.TraceFilter{Terms: []store.Term{in("", "two words"), in("", "x")}}},
		{name: "fields", query: `from:ann TO:bob@x.example subject:"a b" reason:dmarc file:.exe attachment:pdf link:evil.test`, want: store.TraceFilter{Terms: []store.Term{
			in("from", "ann"), in("to", "bob@x.example"), in("subject", "a b"), in("reason", "dmarc"), in("file", ".exe"), in("file", "pdf"), in("link", "evil.test")}}},
		{name: "verdict, state and times", query: "verdict:Phish state:held after:2026-11-01 before:24h", want: store.TraceFilter{Verdict: mail.Phish, State: mail.Held,
			Since: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Until: now.Add(-24 * time.Hour)}},
		{name: "days ago", query: "after:7d", want: store.TraceFilter{Since: now.Add(-7 * 24 * time.Hour)}},
		{name: "a colon at the end is a letter", query: "Re: invoice", want: store.TraceFilter{Terms: []store.Term{in("", "Re:"), in("", "invoice")}}},
		{name: "a time is no field", query: "10:30", want: store.TraceFilter{Terms: []store.Term{in("", "10:30")}}},
		{name: "a pasted link", query: "https://login.paypa1.test/x?y", want: store.TraceFilter{Terms: []store.Term{in("link", "login.paypa1.test")}}},
		{name: "quotes without anything", query: `"" x`, want: store.TraceFilter{Terms: []store.Term{in("", "x")}}},
		{name: "a quoted colon is a letter", query: `"sender:x"`, want: store.TraceFilter{Terms: []store.Term{in("", "sender:x")}}},
		{name: "an unknown field", query: "sender:ann", wrong: QueryField},
		{name: "an open quote", query: `subject:"a b`, wrong: QueryQuote},
		{name: "no verdict", query: "verdict:evil", wrong: QueryVerdict},
		{name: "no state", query: "state:gone", wrong: QueryState},
		{name: "no time", query: "after:tomorrow", wrong: QueryTime},
		{name: "two verdicts", query: "verdict:spam verdict:phish", wrong: QueryTwice},
		{name: "a million letters", query: strings.Repeat("a", 1<<20), wrong: QueryLong},
		{name: "a hundred words", query: strings.Repeat("a ", 100), wrong: QueryLong},
		{name: "a NUL is a letter", query: "a\x00b", want: store.TraceFilter{Terms: []store.Term{in("", "a\x00b")}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseQuery(tt.query, now)
			var wrong *QueryError
			if errors.As(err, &wrong) != (tt.wrong != "") || wrong != nil && (wrong.Kind != tt.wrong || wrong.Error() == "") {
				t.Fatalf("%v, want %q", err, tt.wrong)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
