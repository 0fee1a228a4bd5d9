package mailauth

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"postern/internal/lineartest"
	"postern/internal/mail"
)

// TestCheckIsLinear doubles hostile headers and wants the time of the whole check
// to grow by no more than a factor of 2.3 (safety R16).
func TestCheckIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("timing")
	}
	z, _, _, _ := world(t)
	c := &Checker{Resolver: z}
	env := &mail.Envelope{Client: netip.MustParseAddr("203.0.113.25"), From: "alice@sender.example", Received: at}
	for _, tt := range []struct {
		name string
		make func(n int) string
	}{
		{"Received fields", func(n int) string { return strings.Repeat("Received: from a (10.0.0.1) by b with c\r\n", n) }},
		{"Exchange's Received fields", func(n int) string {
			return strings.Repeat("Received: from a (10.0.0.1) by b.outlook.com (10.0.0.1) with mapi id 1\r\n", n)
		}},
		{"reports", func(n int) string {
			return onTop + strings.Repeat("X-Forefront-Antispam-Report: CIP:1.2.3.4;\r\n", n)
		}},
		{"comments in results", func(n int) string {
			return strings.Replace(onTop, "spf=pass", "spf=pass"+strings.Repeat("(", 8*n), 1)
		}},
		{"From with many names", func(n int) string { return "From: " + strings.Repeat("a <a@b.example>, ", n/4) + "\r\n" }},
		{"From with a long name", func(n int) string { return "From: " + strings.Repeat("a ", 8*n) + "<a@b.example>\r\n" }},
		{"From with nested comments", func(n int) string { return "From: " + strings.Repeat("(", 4*n) + " a@b.example\r\n" }},
		{"From with encoded words", func(n int) string {
			return "From: " + strings.Repeat("=?utf-8?q?a?= ", n) + "<a@b.example>\r\n"
		}},
		{"From of many labels", func(n int) string { return "From: a@" + strings.Repeat("a.", 4*n) + "example\r\n" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lineartest.Check(t, 1<<14, func(n int) func() {
				_, rest, _ := strings.Cut(letter, "\r\n") // its own From
				octets := []byte(tt.make(n) + rest)
				return func() { c.Check(context.Background(), env, mail.ViaRelay, octets) }
			})
		})
	}
}
