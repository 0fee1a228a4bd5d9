package content

import (
	"context"
	"slices"
	"strings"
	"testing"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// points are the sums as policy makes them, near enough: phish, and spam with
// phish in it.
func points(t testing.TB, s *Scanner, msg *mail.Message) (phish, spam int, rules []string) {
	t.Helper()
	found, err := s.Scan(t.Context(), msg, scan.About{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		rules = append(rules, f.Rule)
		switch f.Class {
		case mail.Phish:
			phish += f.Score
			spam += f.Score
		case mail.Spam:
			spam += f.Score
		}
		if f.Detail == "" || !strings.HasSuffix(f.Detail, ".") {
			t.Errorf("%s explains itself as %q", f.Rule, f.Detail)
		}
	}
	return phish, spam, rules
}

func letter(subject, text string) *mail.Message {
	m := &mail.Message{Subject: subject, Text: text, To: []mail.Mailbox{{Addr: "a@contoso.example"}}, From: []mail.Mailbox{{Name: "Ann", Addr: "ann@shop.example"}}}
	m.Header, _ = mail.SplitHeader([]byte("Message-ID: <1@x>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\n"))
	return m
}

func linked(m *mail.Message) *mail.Message {
	m.Links = []mail.Link{{URL: "https://evil.example/x", Kind: "href"}}
	return m
}

// Written for this test after what is reported of such mail; none of it is from
// the development mail.
func TestFraudIsFlagged(t *testing.T) {
	s := New()
	for name, msg := range map[string]*mail.Message{
		"account, English": linked(letter("Notice", "Dear customer, we noticed unusual activity and your account has been limited. Please verify your information within 24 hours: click here.")),
		"account, German":  linked(letter("Wichtig", "Sehr geehrter Kunde, Ihr Konto wurde eingeschränkt. Bitte bestätigen Sie Ihre Daten innerhalb von 24 Stunden. Klicken Sie hier.")),
		"account, French":  linked(letter("Alerte", "Cher client, votre compte a été suspendu. Veuillez confirmer vos informations dans les 24 heures, cliquez ici. Vérifiez votre identité.")),
		"account, Spanish": linked(letter("Aviso", "Estimado cliente, su cuenta ha sido bloqueada. Verifique su identidad en las próximas 24 horas, haga clic aquí.")),
		"mailbox":          linked(letter("Mailbox full", "Your mailbox is full and incoming messages are on hold. Verify your account to release messages, otherwise access will be lost.")),
		"password":         linked(letter("Password", "The password expires today. Action required: keep same password by using the button below.")),
		"wallet":           linked(letter("MetaMask", "Your wallet will be suspended. Verify your wallet with your seed phrase within 24 hours.")),
		"gift cards":       letter("Hi", "Are you available? I'm in a meeting and need a favor. Buy five Amazon gift cards and scratch the backs, then send me your photos. Keep this between us."),
		"bank details":     letter("Invoice 771", "Please note our bank details have changed. Use the new bank account for the wire transfer today, it is urgent. Keep this confidential."),
		"extortion":        letter("You", "I hacked your device and recorded a video through your webcam while you were watching adult sites. Pay me in bitcoin, you have 48 hours, or I will send it to all your contacts."),
		"erpressung":       letter("Sie", "Ich habe Sie durch Ihre Webcam aufgenommen, Ihr Gerät wurde gehackt. Zahlen Sie mit Bitcoin, Sie haben 48 Stunden. Hacker."),
		"advance fee":      letter("Proposal", "Dear friend, I am Barrister James, attorney to my late client who left the sum of 8.5 million dollars without next of kin. I seek your assistance as beneficiary. Contact me with your full name and your phone number. God bless."),
		"pills":            letter("Cheap", "Viagra, Cialis and Levitra from our online pharmacy without prescription."),
	} {
		t.Run(name, func(t *testing.T) {
			if phish, spam, rules := points(t, s, msg); max(phish, spam) < 50 {
				t.Errorf("phish %d, spam %d by %q", phish, spam, rules)
			}
		})
	}
}

func TestBusinessIsNotFlagged(t *testing.T) {
	s := New()
	newsletter := linked(letter("Our autumn offers", "Save up to 30% this week only. Free shipping on every order. Order now! You are receiving this email because you subscribed. Unsubscribe here. We respect your privacy. Verify your email address to keep your account."))
	newsletter.Bulk = true
	for name, msg := range map[string]*mail.Message{
		"a meeting":         letter("Meeting", "Are you free tomorrow at ten? I'm in a meeting right now, call me as soon as possible."),
		"an invoice":        linked(letter("Invoice 4711", "Please find the attached invoice. Payment is due within 14 days by bank transfer to our account. Kind regards, accounting.")),
		"a password reset":  linked(letter("Password reset", "Somebody asked to reset your password. Use the link below within 24 hours. If you did not ask for it, ignore this message.")),
		"a sign-in notice":  linked(letter("New sign-in", "There was a new sign-in to your account from Berlin. If this was you, no action is needed.")),
		"a delivery notice": linked(letter("Your parcel", "Your parcel will be delivered tomorrow between 9 and 12. Follow it with the link below.")),
		"a shared file":     linked(letter("Budget", "Ann has shared a file with you: budget 2027. Open document.")),
		"a newsletter":      newsletter,
		"a loan officer":    letter("Credit line", "As discussed, the bank offers to refinance the loan at 3 %. Shall we talk tomorrow?"),
		"eine Rechnung":     linked(letter("Rechnung", "Sehr geehrter Kunde, anbei Ihre Rechnung. Bitte überweisen Sie den Betrag innerhalb von 14 Tagen.")),
		"about bitcoin":     linked(letter("Market news", "Bitcoin rose by 3 % today. Analysts expect the payment industry to follow.")),
		"about phishing":    letter("Awareness", "Beware of mail that says your account has been suspended. We never ask for passwords."),
	} {
		t.Run(name, func(t *testing.T) {
			if phish, spam, rules := points(t, s, msg); phish >= 50 || spam >= 50 {
				t.Errorf("phish %d, spam %d by %q", phish, spam, rules)
			}
		})
	}
}

func TestShape(t *testing.T) {
	s := New()
	with := func(edit func(*mail.Message)) *mail.Message {
		m := letter("hello there", "hello")
		edit(m)
		return m
	}
	for _, tt := range []struct {
		name string
		msg  *mail.Message
		want string
	}{
		{"nothing", with(func(*mail.Message) {}), ""},
		{"capitals", with(func(m *mail.Message) { m.Subject = "HELP WANTED AT HOME" }), "subject.capitals"},
		{"a loud one", with(func(m *mail.Message) { m.Subject = "Cash!!!" }), "subject.loud"},
		{"an advertisement", with(func(m *mail.Message) { m.Subject = "ADV: Warranties here" }), "subject.adv"},
		{"a mark at the end", with(func(m *mail.Message) { m.Subject = "Special for you 4C55x9Q1" }), "subject.tail"},
		{"a date at the end", with(func(m *mail.Message) { m.Subject = "Minutes of 2026-11-20" }), ""},
		{"a ticket at the end", with(func(m *mail.Message) { m.Subject = "Answer to ticket INC0012345" }), ""},
		{"an abbreviation at the end", with(func(m *mail.Message) { m.Subject = "The new rules of the NATO" }), ""},
		{"drawn letters", with(func(m *mail.Message) { m.Subject = "𝚛𝚎: 𝚢𝚘𝚞𝚛 card" }), "styled.subject"},
		{"arrows", with(func(m *mail.Message) { m.Subject = "➤➤➤ Stay warm" }), "signs.subject"},
		{"one heart", with(func(m *mail.Message) { m.Subject = "❤️ Thank you" }), ""},
		{"l written I", with(func(m *mail.Message) { m.Subject = "Your CIub card" }), "swapped.subject"},
		{"a product's name", with(func(m *mail.Message) { m.Subject = "The TechInfo and PayID day" }), ""},
		{"no Message-ID", with(func(m *mail.Message) { m.Header = m.Header[1:] }), "no.message-id"},
		{"a new tenant", with(func(m *mail.Message) { m.From[0].Addr = "x@abc123.onmicrosoft.com" }), "from.onmicrosoft"},
		{"a made up address", with(func(m *mail.Message) { m.From[0].Addr = "ga4tabi8l67@shop.example" }), "from.random"},
		{"split words", with(func(m *mail.Message) {
			m.Parts = []mail.Part{{Type: "text/html", Data: []byte("V<!x>ia<!y>g<!z>r<!w>a")}}
		}), "html.comments"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := s.Scan(t.Context(), tt.msg, scan.About{})
			var got []string
			for _, f := range found {
				got = append(got, strings.TrimPrefix(f.Rule, "content.shape."))
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestTheTablesAreSound(t *testing.T) {
	if len(topics) > maxTopics {
		t.Fatalf("%d topics do not fit into a topicSet", len(topics))
	}
	for _, tp := range topics {
		seen := map[string]bool{}
		for _, p := range tp.phrases() {
			bare := strings.TrimSuffix(p, "*")
			if seen[p] || len(bare) < 2 || scan.Fold(bare) != bare {
				t.Errorf("%s: %q is doubled, too short or not folded", tp.name, p)
			}
			seen[p] = true
		}
	}
	names := map[string]bool{}
	for _, r := range rules {
		for _, n := range slices.Concat(r.all, r.any, r.not) {
			topicIndex(n) // panics for one that is not there
		}
		if names[r.name] || len(r.all) == 0 || r.says == "" || r.most > 0 && r.most < r.score {
			t.Errorf("rule %q is doubled or incomplete", r.name)
		}
		names[r.name] = true
	}
}

func TestScanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New().Scan(ctx, letter("x", "y"), scan.About{}); err == nil {
		t.Error("no error")
	}
}

func FuzzScan(f *testing.F) {
	f.Add("ADV: 𝚛𝚎", "verify your account within 24 hours", "a_b_c <x@y>")
	s := New()
	f.Fuzz(func(t *testing.T, subject, text, from string) {
		m := letter(subject, text)
		m.From[0] = mail.Mailbox{Name: from, Addr: from}
		points(t, s, m)
	})
}

func BenchmarkScan(b *testing.B) {
	s := New()
	m := letter("hello", strings.Repeat("Please find the minutes of our meeting. ", 200))
	b.SetBytes(int64(len(m.Text)))
	for b.Loop() {
		s.Scan(b.Context(), m, scan.About{})
	}
}
