package link

import (
	"os"
	"strings"
	"testing"

	"postern/internal/corpus"
	"postern/internal/mail"
	"postern/internal/relay/scan"
)

var about = scan.About{Domains: []string{"contoso.example"}, Envelope: mail.Envelope{To: []mail.Rcpt{{Addr: "alex.morgan@contoso.example"}}}}

func rules(t testing.TB, msg *mail.Message) string {
	t.Helper()
	found, err := new(Scanner).Scan(t.Context(), msg, about)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		if f.Score > 0 {
			got = append(got, strings.TrimPrefix(f.Rule, "link."))
		}
	}
	return strings.Join(got, " ")
}

func TestLinks(t *testing.T) {
	const bait = "Please verify your account"
	for _, tt := range []struct{ name, url, text, body, want string }{
		{"an honest link", "https://shop.example/x", "our shop", "", ""},
		{"its own address as text", "https://www.shop.example/x?y", "shop.example", "", ""},
		{"a click counter of its own", "https://click.shop.com/x?y", "https://www.shop.com", "", ""},
		{"another address as text", "https://evil.example/", "https://www.bank.com/login", "", "text"},
		{"another bare name as text", "https://evil.example/", "www.bank.com", "", "text"},
		{"our name as text", "https://evil.example/", "https://mail.contoso.example/", "", "text.own"},
		{"a sentence as text", "https://evil.example/", "See bank.com for more", "", ""},
		{"a file name as text", "https://files.example/", "report.pdf", "", ""},
		{"a bare address", "http://203.0.113.7/x", "", "", "ip"},
		{"a disguised address", "http://3405803783/x", "", "", "ip.disguised"},
		{"the printer at home", "http://192.168.1.1/", "", "", ""},
		{"a name before the address", "https://www.bank.com@evil.example/", "", "", "userinfo"},
		{"a page in the link", "data:text/html;base64,PHNjcmlwdD4=", "", "", "data"},
		{"a script in the link", "javascript:location='x'", "", "", "script"},
		{"a link that does nothing", "javascript:void(0)", "", "", ""},
		{"a program in the link", "search-ms:query=x&crumb=location:\\\\evil", "", "", "handler"},
		{"a short link", "https://bit.ly/x", "", "", "shortener"},
		{"a free page and nothing else", "https://x.pages.dev/", "", "", "hosting"},
		{"a cheap name", "https://x.top/", "", "", "cheap"},
		{"a detour", "https://www.google.com/url?q=https://evil.example/x", "", "", "redirect"},
		{"a detour of Germany", "https://www.google.de/amp/s/evil.example/x", "", "", "redirect"},
		{"a detour by Bing", "https://www.bing.com/ck/a?u=a1aHR0cHM6Ly9ldmlsLmV4YW1wbGUv", "", "", "redirect"},
		{"Safe Links", "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fshop.example%2F", "", "", ""},
		{"something bad within Safe Links", "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fbit.ly%2Fx", "", "", "shortener"},
		{"the reader's address behind a mark", "https://evil.example/#alex.morgan@contoso.example", "", "", "recipient"},
		{"the reader's address in Base64", "https://evil.example/?YWxleC5tb3JnYW5AY29udG9zby5leGFtcGxl", "", "", "recipient"},
		{"a sign-in page and a request", "https://evil.example/login", "", bait, "lure"},
		{"a long host", "https://a.b.c.d.e.f.evil.example/", "", "", "long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msg := &mail.Message{Text: tt.body, From: []mail.Mailbox{{Addr: "x@other.example"}}, Links: []mail.Link{{URL: tt.url, Text: tt.text, Kind: "href"}}}
			if got := rules(t, msg); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPages(t *testing.T) {
	for _, tt := range []struct{ name, file, page, want string }{
		{"a form in the message", "", `<form action="https://evil.example/x"><input type=password></form>`, "form.password"},
		{"a search box in the message", "", `<form action="https://shop.example/x"><input type=text></form>`, ""},
		{"an attached form", "x.html", `<FORM action='https://evil.example/x'><INPUT TYPE="Password"></form>`, "form.attached"},
		{"an attached form without password", "x.html", `<form action='https://evil.example/x'><input></form>`, "form.remote"},
		{"an attached form that writes a mail", "x.html", `<form action='mailto:a@evil.example?subject=x'><input></form>`, "form.remote"},
		{"a page that leads on", "x.html", `<meta http-equiv=refresh content="0; URL=https://evil.example">`, "refresh"},
		{"a plain page", "x.html", `<p>hello`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msg := &mail.Message{Parts: []mail.Part{{Path: "1", Type: "text/html", Name: tt.file, Data: []byte(tt.page)}}}
			if got := rules(t, msg); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCodes(t *testing.T) {
	for file, want := range map[string]string{
		"test_qr_url.png":            "qr",
		"test_qr.jpg":                "qr",
		"test_qr_multi.png":          "qr",
		"test_qr_inverted.png":       "", // holds plain text
		"test_qr_multi_inverted.png": "qr",
		"test_qr_wifi.png":           "",
		"test_qr_email.png":          "",
		"test_text.png":              "",
	} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(corpus.Path(t, "attach/strelka/src/python/strelka/tests/fixtures", file))
			if err != nil {
				t.Skipf("no test data: %v", err)
			}
			msg := &mail.Message{Parts: []mail.Part{{Path: "2", Data: data}}}
			if got := rules(t, msg); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func FuzzScan(f *testing.F) {
	f.Add("https://www.google.com/url?q=http%3A%2F%2Fx", "www.bank.com", "<form><input type=password")
	f.Fuzz(func(t *testing.T, url, text, page string) {
		msg := &mail.Message{Links: []mail.Link{{URL: url, Text: text, Kind: "href"}}, Parts: []mail.Part{{Path: "1", Type: "text/html", Data: []byte(page)}}}
		rules(t, msg)
	})
}

func BenchmarkScan(b *testing.B) {
	msg := &mail.Message{Text: strings.Repeat("some text of a message ", 300), From: []mail.Mailbox{{Addr: "x@other.example"}}}
	for _, h := range []string{"a.example", "www.b.example", "c.example", "t.co", "images.d.example"} {
		msg.Links = append(msg.Links, mail.Link{URL: "https://" + h + "/x?y", Text: "see more", Kind: "href"})
	}
	msg.Parts = []mail.Part{{Path: "1", Type: "text/html", Data: []byte(strings.Repeat("<p>some text ", 500))}}
	for b.Loop() {
		new(Scanner).Scan(b.Context(), msg, about)
	}
}
