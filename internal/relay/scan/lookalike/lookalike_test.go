package lookalike

import (
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

func TestSenders(t *testing.T) {
	about := scan.About{Domains: []string{"contoso.example", "fabrikam.co.uk"}, Protected: []string{"adatum-corporation.com", "bcd.example"}}
	for _, tt := range []struct{ from, want string }{
		{"contoso.example", ""},
		{"mail.contoso.example", ""},
		{"other.example", ""},
		{"contos0.example", "confusable"},
		{"contosо.com", "confusable"}, // Cyrillic о
		{"сontoso.com", "confusable"}, // Cyrillic с
		{"cοntosο.com", "confusable"}, // Greek ο
		{"fabrlkam.com", "confusable"},
		{"contoso.com", "tld"},
		{"cont0so.net", "confusable"},
		{"cotnoso.com", "typo"},
		{"contosoo.com", "typo"},
		{"contso.com", "typo"},
		{"contosos.com", ""},
		{"adatum-corporatlon.net", "confusable"},
		{"adatum-corporatn.com", "typo"},
		{"contoso-login.com", "combined"},
		{"secure-contoso.com", "combined"},
		{"contosopayroll.com", "combined"},
		{"contoso-fans.org", "combined"},
		{"contoso.example.evil.test", "subdomain"},
		{"contoso-example.evil.test", "subdomain"},
		{"bcd.org", ""},
		{"bce.example", ""},
		{"paypa1.com", "confusable"},
		{"paypal-secure.com", "combined"},
		{"paypal.de", ""},
		{"micros0ft.com", "confusable"},
		{"rnicrosoft.com", "confusable"},
		{"mircosoft.com", "typo"},
		{"docusgin.com", "typo"},
		{"linkedin.com", ""},
		{"gооgle.com", "mixed"},
		{"münchen.de", ""},
		{"яндекс.рф", ""},
		{"amazing.com", ""},
	} {
		t.Run(tt.from, func(t *testing.T) {
			msg := &mail.Message{From: []mail.Mailbox{{Addr: "x@" + tt.from}}}
			found, err := new(Scanner).Scan(t.Context(), msg, about)
			got := ""
			if len(found) > 0 {
				got = strings.TrimPrefix(found[0].Rule, "lookalike.")
			}
			if err != nil || len(found) > 1 || got != tt.want {
				t.Errorf("got %+v, %v; want %q", found, err, tt.want)
			}
		})
	}
}

func TestLinksCountLess(t *testing.T) {
	about := scan.About{Domains: []string{"contoso.example"}}
	msg := &mail.Message{Links: []mail.Link{
		{URL: "https://contoso-login.com/x", Kind: "href"},
		{URL: "https://contoso-login.com/y", Kind: "href"},
		{URL: "https://contoso.example.evil.test/", Kind: "text"},
		{URL: "https://cotnoso.com/logo.png", Kind: "img"},
	}}
	found, err := new(Scanner).Scan(t.Context(), msg, about)
	if err != nil || len(found) != 2 || found[0].Score != 40 || found[1].Rule != "lookalike.subdomain" {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestBrandsInTheName(t *testing.T) {
	for _, tt := range []struct {
		name, addr string
		want       bool
	}{
		{"PayPal", "service@paypal.com", false},
		{"PayPal", "service@paypal.de", false},
		{"PayPal Service", "x@evil.example", true},
		{"PayPаl", "x@evil.example", true}, // Cyrillic а
		{"Microsoft account team", "account@evil.example", true},
		{"Microsoft", "account@accountprotection.microsoft.com", false},
		{"Ann Smith, PayPal", "ann@evil.example", false},
		{"Amazonas Tours", "x@evil.example", false},
		{"DocuSign via Contoso", "x@lists.example", false},
		{"PayPal", "x@contoso.example", false},
		{"", "x@evil.example", false},
	} {
		msg := &mail.Message{From: []mail.Mailbox{{Name: tt.name, Addr: tt.addr}}}
		found, _ := new(Scanner).Scan(t.Context(), msg, scan.About{Domains: []string{"contoso.example"}})
		if got := len(found) == 1 && found[0].Rule == "lookalike.brand"; got != tt.want {
			t.Errorf("%s <%s>: %+v", tt.name, tt.addr, found)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"abcd", "abcd", 0}, {"abcd", "abdc", 1}, {"abcd", "abc", 1}, {"abcd", "abxd", 1}, {"abcd", "axcy", 2}, {"", "ab", 2}, {"abcdef", "ghijkl", 3}} {
		if got := distance(tt.a, tt.b, 2); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("xn--80ak6aa92e.com")
	c := newComparer(scan.About{Domains: []string{"contoso.example"}})
	f.Fuzz(func(t *testing.T, s string) {
		d, err := idna.ToASCII(s)
		if err == nil {
			c.compare(d, "", "", 0)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	about := scan.About{Domains: []string{"contoso.example", "fabrikam.co.uk"}}
	msg := &mail.Message{From: []mail.Mailbox{{Name: "Ann", Addr: "ann@shop.example"}}}
	for _, h := range []string{"a.example", "www.b.example", "c.example", "t.co", "images.d.example"} {
		msg.Links = append(msg.Links, mail.Link{URL: "https://" + h + "/x?y", Kind: "href"})
	}
	for b.Loop() {
		new(Scanner).Scan(b.Context(), msg, about)
	}
}
