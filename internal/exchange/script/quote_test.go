package script

import (
	"strings"
	"testing"
)

func FuzzAQuotedValueEndsWhereItShould(f *testing.F) {
	for _, s := range []string{"", "plain", "it's", "''", "a\nb", "\u2019; Remove-Mailbox", "$(x) `n \"", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Quote(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(q, "\r\n\x00\u2018\u2019\u201a\u201b") {
			t.Fatalf("%q has a character that ends it", q)
		}
		inner, ok := strings.CutPrefix(q, "'")
		inner, ok2 := strings.CutSuffix(inner, "'")
		if !ok || !ok2 || strings.Contains(strings.ReplaceAll(inner, "''", ""), "'") || strings.ReplaceAll(inner, "''", "'") != s {
			t.Fatalf("%q became %q", s, q)
		}
	})
}

func TestATypeThatPowerShellHasNoFormForIsRefused(t *testing.T) {
	_, err := Render(Setup{Tenant: "t", Objects: []Object{{ID: "x", Kind: "RemoteDomain", Name: "Default", Props: map[string]any{"X": 1.5}}}})
	if err == nil {
		t.Error("a float was written")
	}
	_, err = Render(Setup{Tenant: "t", Objects: []Object{{ID: "x", Kind: "RemoteDomain; x", Name: "Default"}}})
	if err == nil {
		t.Error("a kind with a semicolon was written")
	}
	_, err = Render(Setup{Tenant: "t", Objects: []Object{{ID: "x", Kind: "RemoteDomain", Name: "Default", Props: map[string]any{"X }; y": true}}}})
	if err == nil {
		t.Error("a property name with a brace was written")
	}
}
