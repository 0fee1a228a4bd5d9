package digest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"postern/internal/mail"
)

var (
	acme     = mail.Tenant{ID: "acme", Name: "Acme"}
	composer = &Composer{Hostname: "relay.example", URL: "https://held.example", Signer: Signer{Keys: []Key{NewKey([32]byte{1})}}}
	now      = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
)

// read takes a letter apart as a mail program does.
func read(t *testing.T, l Letter) (head netmail.Header, text, page string) {
	t.Helper()
	for line := range bytes.Lines(l.Content) {
		if !bytes.HasSuffix(line, []byte("\r\n")) || len(line) > 998+2 || bytes.ContainsFunc(line, func(r rune) bool { return r >= 0x80 }) {
			t.Fatalf("not for every server: %q", line)
		}
	}
	m, err := netmail.ReadMessage(bytes.NewReader(l.Content))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(b))
	}
	if len(parts) != 2 {
		t.Fatalf("%d parts", len(parts))
	}
	return m.Header, parts[0], parts[1]
}

func digestOf(t *testing.T, lang string, items ...Item) Letter {
	t.Helper()
	for i := range items {
		items[i].ID, items[i].HeldAt = mail.NewID(), now
	}
	l, err := composer.Digest(mail.NewID(), acme, mail.Recipients{}, Reader{Addr: "ann@acme.example", Lang: lang}, items, false, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// hostile are subjects and senders made to deceive: hidden and turning characters,
// markup, links, other scripts, line ends, and lengths.
func hostile() (subjects, senders []string) {
	marks := []string{"\u202e", "\u202d", "\u2066", "\u2067", "\u2068", "\u2069", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff", "\u00ad", "\u061c", "\u180e", "\u2028", "\u2029", "\r\n", "\n", "\x00", "\x1b[31m", "\x7f", "\u0085", "\u3164", "\u115f", "\u2800", "\ufe0f", "\U000e0041", "\ufffd", "\ue000", "\u2003"}
	for _, m := range marks {
		subjects = append(subjects, "invoice"+m+"fdp.exe", m+"Your account", "pay"+m+"pal.com")
		senders = append(senders, "ann"+m+"@acme.example", "ann@ac"+m+"me.example", m)
	}
	for _, s := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</title></style><h1>Sign in`, `{{.Tenant}}`, `javascript:alert(1)`, `http://evil.example/x`, `https://evil.example`, `HTTPS://EVIL.EXAMPLE`, `www.evil.example`, `evil.example/login`,
		`a.b.c.evil.example`, `ftp://evil.example`, `ben@evil.example`, `mailto:ben@evil.example`, strings.Repeat("A", 5000), strings.Repeat("é", 3000), "=?utf-8?q?evil?=", "a\r\nBcc: eve@evil.example\r\n\r\nbody", "--=_boundary", "\xff\xfe bad octets", ""} {
		subjects, senders = append(subjects, s), append(senders, s)
	}
	for _, d := range []string{"раypal.com", "xn--pypal-4ve.com", "аррӏе.com", "münchen.example", "例え.jp", "paypal.com.evil.example", "[192.0.2.1]", "a..b", "-x-.example", strings.Repeat("a", 200) + ".example"} {
		senders = append(senders, "service@"+d, `"ceo@acme.example"@`+d, strings.Repeat("paypal.com/", 40)+"@"+d)
	}
	return subjects, senders
}

func TestTextsOfStrangersShowWhatTheyAreAndLeadNowhere(t *testing.T) {
	subjects, senders := hostile()
	if n := len(subjects) + len(senders); n < 200 {
		t.Fatalf("only %d texts", n)
	}
	links := regexp.MustCompile(`(?i)\b(?:https?|ftp)://[^\s"<>]+|www\.[a-z]|javascript:|mailto:[a-z]`)
	hrefs := regexp.MustCompile(`(?i)<a\s[^>]*href="([^"]*)"`)
	tags := regexp.MustCompile(`<[^>]*>`)
	try := func(what string, it Item) {
		l := digestOf(t, "en", it)
		head, text, page := read(t, l)
		if len(head["Bcc"]) > 0 || head.Get("To") != "<ann@acme.example>" {
			t.Errorf("%s: header %v", what, head)
		}
		for name, part := range map[string]string{"text": text, "page": page} {
			if i := strings.IndexFunc(part, func(r rune) bool {
				return r != '\n' && r != '\r' && (unicode.In(r, unicode.Cf, unicode.Cc, unicode.Co, unicode.Zl, unicode.Zp) || slices.Contains([]rune{'\u3164', '\u115f', '\u2800', '\ufe0f', '\ufffd', '\u2003'}, r))
			}); i >= 0 {
				t.Errorf("%s: the %s has a hidden character: %q", what, name, part[max(0, i-20):min(len(part), i+20)])
			}
		}
		for _, m := range links.FindAllString(text, -1) {
			if !strings.HasPrefix(m, "https://held.example/") {
				t.Errorf("%s: the text leads to %q", what, m)
			}
		}
		for _, m := range hrefs.FindAllStringSubmatch(page, -1) {
			if !strings.HasPrefix(m[1], "https://held.example/") {
				t.Errorf("%s: the page leads to %q", what, m[1])
			}
		}
		body := page[strings.Index(page, "</style>"):]
		for _, bad := range []string{"<script", "<img", "onerror=", "src=", "<h1>Sign"} {
			if tag := slices.IndexFunc(tags.FindAllString(body, -1), func(s string) bool { return strings.Contains(strings.ToLower(s), bad) && s != "<h1>" }); tag >= 0 {
				t.Errorf("%s: the page has %q", what, bad)
			}
		}
		for _, m := range links.FindAllString(strings.Join(tags.Split(body, -1), "\x00"), -1) {
			t.Errorf("%s: the page shows a link %q", what, m)
		}
		if len(l.Content) > 20_000 {
			t.Errorf("%s: %d octets", what, len(l.Content))
		}
	}
	for _, s := range subjects {
		try(fmt.Sprintf("subject %.40q", s), Item{Subject: s, From: "ben@sender.example", Verdict: mail.Spam})
		try(fmt.Sprintf("reason %.40q", s), Item{From: "ben@sender.example", Verdict: mail.Spam, Reason: "A link shows " + s + ", but leads to “" + s + "”."})
	}
	for _, s := range senders {
		try(fmt.Sprintf("sender %.40q", s), Item{Subject: "hello", From: s, Verdict: mail.Spam})
	}
	for in, want := range map[string]string{
		"service@раypal.com":                             "service@xn--ypal-43d9g.com",
		"ann@ac\u200bme.example":                         "ann@ac‹U+200B›me.example",
		strings.Repeat("paypal.com/", 40) + "@evil.test": "…@evil.test", // the domain is seen, however long the rest
	} {
		if got := who(in); !strings.HasSuffix(got, want) {
			t.Errorf("%.40q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestTheReasonIsInTheReadersLanguage(t *testing.T) {
	known := Item{Verdict: mail.Phish, Reason: "The name shown is “Ann”, but the sender is ben@evil.test."}
	_, text, page := read(t, digestOf(t, "de", known, Item{Verdict: mail.Spam, Reason: "An operator's own words."}))
	if want := "Der angezeigte Name ist „Ann“, der Absender aber ben@evil[.]test."; !strings.Contains(text, want) {
		t.Errorf("the text lacks %q:\n%s", want, text)
	}
	for _, want := range []string{"<p>Der angezeigte Name ist „Ann“, der Absender aber ben<span>@</span>evil[<span>.</span>]test<span>.</span></p>", `<p lang="en">An operator&#39;s own words<span>.</span></p>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page[strings.Index(page, "</style>"):])
		}
	}
}

func TestALinkIsForOneCopyActionTenantAndPerson(t *testing.T) {
	s := Signer{Keys: []Key{NewKey([32]byte{2}), NewKey([32]byte{1})}}
	t1 := Ticket{Tenant: "acme", Rcpt: "ann@acme.example", ID: mail.NewID(), N: 3, Action: mail.MayAsk, Until: now.Add(time.Hour).Truncate(time.Second)}
	of := func(tenant, rcpt string) func(mail.ID, int) (string, string, error) {
		return func(mail.ID, int) (string, string, error) { return tenant, rcpt, nil }
	}
	for _, key := range s.Keys { // the new one and the one before
		token, err := Signer{Keys: []Key{key}}.Sign(t1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Read(token, now, of("acme", "ann@acme.example"))
		if err != nil || got.ID != t1.ID || got.N != 3 || got.Action != mail.MayAsk || !got.Until.Equal(t1.Until) {
			t.Errorf("%+v %v", got, err)
		}
		for name, whose := range map[string]func(mail.ID, int) (string, string, error){
			"another tenant": of("beta", "ann@acme.example"), "another person": of("acme", "bob@acme.example"), "moved border": of("acmeann", "@acme.example"),
		} {
			if _, err := s.Read(token, now, whose); !errors.Is(err, ErrToken) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.Read(token, t1.Until, of("acme", "ann@acme.example")); !errors.Is(err, ErrOver) {
			t.Errorf("at its end: %v", err)
		}
		for i := range len(token) { // any character changed
			c := byte('A')
			if token[i] == c {
				c = 'B'
			}
			if _, err := s.Read(token[:i]+string(c)+token[i+1:], now, of("acme", "ann@acme.example")); !errors.Is(err, ErrToken) {
				t.Errorf("character %d changed: %v", i, err)
			}
		}
	}
	foreign, _ := Signer{Keys: []Key{NewKey([32]byte{9})}}.Sign(t1)
	if _, err := s.Read(foreign, now, of("acme", "ann@acme.example")); !errors.Is(err, ErrToken) {
		t.Errorf("another installation's: %v", err)
	}
}

func TestLinksLiveNoLongerThanAWeekOrTheMail(t *testing.T) {
	for _, tt := range []struct {
		name    string
		expires time.Time
		want    time.Time
	}{
		{"mail kept for a month", now.AddDate(0, 1, 0), now.Add(MaxLife)},
		{"mail kept until tomorrow", now.AddDate(0, 0, 1), now.AddDate(0, 0, 1)},
	} {
		l := digestOf(t, "en", Item{Subject: "x", From: "b@s.example", Verdict: mail.Spam, ExpiresAt: tt.expires})
		_, text, _ := read(t, l)
		token := regexp.MustCompile(`/held/(\S+)`).FindStringSubmatch(text)[1]
		got, err := composer.Signer.Read(token, now, func(mail.ID, int) (string, string, error) { return "acme", "ann@acme.example", nil })
		if err != nil || !got.Until.Equal(tt.want) {
			t.Errorf("%s: until %v (%v), want %v", tt.name, got.Until, err, tt.want)
		}
	}
}

func TestWhatMayNotBeDoneHasNoLink(t *testing.T) {
	_, text, page := read(t, digestOf(t, "en", Item{Subject: "x", From: "b@s.example", Verdict: mail.Malware, Score: 200}))
	if strings.Contains(text+page, "/held/") || !strings.Contains(text, "Only your administrators can release it.") {
		t.Error(text)
	}
}

func TestEveryLanguageSaysEverything(t *testing.T) {
	verbs := regexp.MustCompile(`%[a-z]`)
	said := regexp.MustCompile(`\bT\(?\s?("(?:[^"\\]|\\.)*")`)
	var keys []string
	for _, v := range verdicts {
		keys = append(keys, v)
	}
	for _, file := range []string{"compose.go", "text.go", "digest.html", "signin.html"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range said.FindAllSubmatch(b, -1) {
			var key string
			if err := json.Unmarshal(m[1], &key); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
	}
	if len(keys) < 35 {
		t.Fatalf("only %d sentences were found", len(keys))
	}
	for lang, w := range all() {
		for _, key := range keys {
			s, ok := w.say[key]
			if !ok || !slices.Equal(verbs.FindAllString(s, -1), verbs.FindAllString(key, -1)) {
				t.Errorf("%s: %q for %q", lang, s, key)
			}
		}
		for key := range w.say {
			if !slices.Contains(keys, key) {
				t.Errorf("%s has %q, which nobody says", lang, key)
			}
		}
		l := digestOf(t, lang, Item{Subject: "x", From: "", Verdict: mail.Suspicious})
		if head, text, _ := read(t, l); head.Get("Content-Language") != lang || !strings.Contains(text, w.say["no sender (a bounce)"]) {
			t.Errorf("%s: %s", lang, text)
		}
	}
}
