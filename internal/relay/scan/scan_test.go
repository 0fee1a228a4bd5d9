package scan

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/internal/mail"
)

type fake struct {
	name string
	scan func(ctx context.Context) ([]mail.Finding, error)
}

func (f fake) Name() string { return f.name }
func (f fake) Scan(ctx context.Context, _ *mail.Message, _ About) ([]mail.Finding, error) {
	return f.scan(ctx)
}

func TestRunnerKeepsTheOrderAndTellsWhoCouldNotLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Runner{Budget: time.Minute, Scanners: []Scanner{
			fake{"slow", func(context.Context) ([]mail.Finding, error) {
				time.Sleep(time.Second)
				return []mail.Finding{{Rule: "slow.one"}}, nil
			}},
			fake{"broken", func(context.Context) ([]mail.Finding, error) { return nil, errors.New("no table") }},
			fake{"half", func(context.Context) ([]mail.Finding, error) {
				return []mail.Finding{{Rule: "half.one"}}, errors.New("stopped midway")
			}},
			fake{"panics", func(context.Context) ([]mail.Finding, error) { var m map[string]int; m["x"]++; return nil, nil }},
			fake{"patient", func(ctx context.Context) ([]mail.Finding, error) { <-ctx.Done(); return nil, ctx.Err() }},
			fake{"deaf", func(context.Context) ([]mail.Finding, error) { time.Sleep(time.Hour); return nil, nil }},
			fake{"quick", func(context.Context) ([]mail.Finding, error) { return []mail.Finding{{Rule: "quick.one"}}, nil }},
		}}
		began := time.Now()
		var rules []string
		for _, f := range r.Run(t.Context(), &mail.Message{}, About{}) {
			rules = append(rules, f.Rule)
			if strings.HasPrefix(f.Rule, "engine.") && (f.Class != mail.Unjudged || f.Score < 50) {
				t.Errorf("%s would not hold the message: %+v", f.Rule, f)
			}
		}
		want := "slow.one engine.broken.error half.one engine.half.error engine.panics.error engine.patient.error engine.deaf.error quick.one"
		if got := strings.Join(rules, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if took := time.Since(began); took > time.Minute+time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(2 * time.Hour) // lets the deaf one end
	})
}

func TestParseTargetReadsAsBrowsersDo(t *testing.T) {
	for _, tt := range []struct{ raw, scheme, host, user string }{
		{"https://Example.COM/a?b", "https", "example.com", ""},
		{"HTTP:\\\\example.com\\x", "http", "example.com", ""},
		{"https:example.com", "https", "example.com", ""},
		{"https:///example.com", "https", "example.com", ""},
		{"//example.com/x", "https", "example.com", ""},
		{"www.example.com", "http", "www.example.com", ""},
		{"ht\ntps://exa\u200bmple.com", "https", "example.com", ""},
		{"https://paypal.com@evil.example/", "https", "evil.example", "paypal.com"},
		{"https://user:pw@evil.example:8443/", "https", "evil.example", "user:pw"},
		{"http://0x7f.1/", "http", "127.0.0.1", ""},
		{"http://2130706433/", "http", "127.0.0.1", ""},
		{"http://0300.0250.1.1/", "http", "192.168.1.1", ""},
		{"http://[::1]:80/", "http", "::1", ""},
		{"https://münchen.example/", "https", "xn--mnchen-3ya.example", ""},
		{"https://ex%61mple.com/", "https", "example.com", ""},
		{"https://example。com/", "https", "example.com", ""},
		{"mailto:ann@example.com", "mailto", "", ""},
		{"data:text/html,x", "data", "", ""},
		{" JavaScript:alert(1)", "javascript", "", ""},
	} {
		got, ok := ParseTarget(tt.raw)
		if !ok || got.Scheme != tt.scheme || got.Host != tt.host || got.User != tt.user {
			t.Errorf("%q: got %+v, %v", tt.raw, got, ok)
		}
	}
	for _, raw := range []string{"", "#top", "/x", "x.html", "https://"} {
		if got, ok := ParseTarget(raw); ok {
			t.Errorf("%q leads to %+v", raw, got)
		}
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"  Verify\r\n\tYOUR  Account ":  "verify your account",
		"ＰＡＹＰＡＬ":                        "paypal",
		"Überprüfen Sie Ihr\u00a0Konto": "uberprufen sie ihr konto",
		"pass\u200bwo\u00adrd":          "password",
		"Straße d’été":                  "strasse d'ete",
		"\u202egnp.exe":                 "gnp.exe",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOrganizationAndBelow(t *testing.T) {
	for in, want := range map[string]string{"mail.contoso.co.uk": "contoso.co.uk", "contoso.example": "contoso.example", "co.uk": "co.uk", "": ""} {
		if got := Organization(in); got != want {
			t.Errorf("Organization(%q) = %q, want %q", in, got, want)
		}
	}
	if !Below("a.b.example", "b.example") || Below("ab.example", "b.example") || Below("x.example", "") || Below("", "") {
		t.Error("Below is wrong")
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("https://user@[::1]:80/a%zz?b#c")
	f.Add("0x:\\\\1.2.3")
	f.Fuzz(func(t *testing.T, s string) {
		if target, ok := ParseTarget(s); ok && target.Scheme == "" {
			t.Errorf("%q has no scheme", s)
		}
	})
}
