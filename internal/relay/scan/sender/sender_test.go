package sender

import (
	"strings"
	"testing"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

func message(fields ...string) *mail.Message {
	m := &mail.Message{}
	m.Header, _ = mail.SplitHeader([]byte(strings.Join(fields, "\r\n") + "\r\n\r\n"))
	return m
}

// from is a message with one author, written Name <addr>.
func from(author string, edit ...func(*mail.Message)) *mail.Message {
	m := message("From: " + author)
	name, addr, _ := strings.Cut(author, "<")
	m.From = []mail.Mailbox{{Name: strings.TrimSpace(name), Addr: strings.TrimSuffix(addr, ">")}}
	for _, e := range edit {
		e(m)
	}
	return m
}

func reply(addr string) func(*mail.Message) {
	return func(m *mail.Message) { m.ReplyTo = []mail.Mailbox{{Addr: addr}} }
}

func bulk(m *mail.Message) { m.Bulk = true }

func TestScan(t *testing.T) {
	none := mail.Auth{DMARC: mail.DMARC{Result: mail.ResultNone}}
	pass := mail.Auth{DMARC: mail.DMARC{Result: mail.ResultPass}}
	fail := func(policy string) mail.Auth {
		return mail.Auth{DMARC: mail.DMARC{Result: mail.ResultFail, Policy: policy, Domain: "shop.example"}}
	}
	exchange := func(x mail.Exchange) mail.Auth {
		return mail.Auth{Exchange: &x, DMARC: mail.DMARC{Result: mail.ResultNone}}
	}
	for _, tt := range []struct {
		name string
		msg  *mail.Message
		auth mail.Auth
		want string
	}{
		{"an honest message", from("Ann <ann@shop.example>"), pass, ""},
		{"from a colleague inside", from("Bob <bob@contoso.example>"), mail.Auth{Origin: mail.Origin{Internal: true}, DMARC: mail.DMARC{Result: mail.ResultNone}}, ""},
		{"a service that sends for us", from("Bob <bob@contoso.example>"), pass, ""},
		{"our domain forged", from("Bob <bob@mail.contoso.example>"), none, "own"},
		{"our domain, no DNS", from("Bob <bob@contoso.example>"), mail.Auth{DMARC: mail.DMARC{Result: mail.ResultTempError}}, "own.unknown"},
		{"two authors", func() *mail.Message {
			m := message("From: a@x.example, b@y.example")
			m.From = []mail.Mailbox{{Addr: "a@x.example"}, {Addr: "b@y.example"}}
			return m
		}(), none, "from.authors"},
		{"no author", message("Subject: x"), none, "from.none"},
		{"DMARC says reject", from("Ann <ann@shop.example>"), fail("reject"), "dmarc"},
		{"DMARC says nothing", from("Ann <ann@shop.example>"), fail("none"), "dmarc.none"},
		{"SPF fails", from("Ann <ann@shop.example>"), mail.Auth{SPF: mail.SPF{Result: mail.ResultFail}, DMARC: mail.DMARC{Result: mail.ResultNone}}, "spf"},
		{"SPF fails after forwarding", from("Ann <ann@shop.example>"), mail.Auth{SPF: mail.SPF{Result: mail.ResultFail}, DKIM: []mail.DKIM{{Result: mail.ResultPass}}}, ""},
		{"Exchange says forged", from("Ann <ann@shop.example>"), exchange(mail.Exchange{CompAuth: "fail", CompAuthReason: "000"}), "exchange.compauth"},
		{"Exchange says phish", from("Ann <ann@shop.example>"), exchange(mail.Exchange{Category: "PHSH"}), "exchange.phish"},
		{"another address as the name", from("ann@bank.example <x@evil.example>"), none, "name.address"},
		{"our address as the name", from("Bob (bob@contoso.example) <x@evil.example>"), none, "name.own"},
		{"our domain as the name", from("contoso.example Helpdesk <x@evil.example>"), none, "name.own"},
		{"its own address as the name", from("ann@shop.example <ann@mail.shop.example>"), none, ""},
		{"a list that rewrites", from("ann@bank.example via Users <users@lists.example>"), none, ""},
		{"a web form", from("ann@bank.example <forms@site.example>", reply("ann@bank.example")), none, ""},
		{"a name with a full stop", from("Dr. J. Smith <j@shop.example>"), none, ""},
		{"the director", from("Boss, Clara <clara.boss@gmail.com>"), none, "person.protected"},
		{"the director's accent", from("Clàra Boss <x@evil.example>"), none, "person.protected"},
		{"the director at home", from("Clara Boss <clara@contoso.example>"), pass, ""},
		{"a colleague", from("Dan Doe <x@evil.example>"), none, "person.colleague"},
		{"the recipient", from("Alex Morgan <x@evil.example>"), none, "person.self"},
		{"answers to freemail", from("Ann <ann@shop.example>", reply("ann.shop@gmail.com")), none, "reply.freemail"},
		{"answers to freemail of a list", from("Ann <ann@shop.example>", reply("ann.shop@gmail.com"), bulk), none, ""},
		{"answers to the same organization", from("Ann <ann@shop.example>", reply("help@support.shop.example")), none, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			about := scan.About{
				Auth: tt.auth, Domains: []string{"contoso.example"}, People: []string{"Clara Boss"}, Mailboxes: []string{"Dan Doe"},
				Envelope: mail.Envelope{From: "x@evil.example", To: []mail.Rcpt{{Addr: "alex.morgan@contoso.example"}}},
			}
			found, err := new(Scanner).Scan(t.Context(), tt.msg, about)
			var got []string
			for _, f := range found {
				got = append(got, strings.TrimPrefix(f.Rule, "sender."))
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestNullSender(t *testing.T) {
	about := scan.About{Envelope: mail.Envelope{To: []mail.Rcpt{{Addr: "a@contoso.example"}}}, Auth: mail.Auth{DMARC: mail.DMARC{Result: mail.ResultNone}}}
	links := func(m *mail.Message) { m.Links = []mail.Link{{URL: "https://evil.example"}} }
	spam := from("Shop <shop@evil.example>", links)
	if found, _ := new(Scanner).Scan(t.Context(), spam, about); len(found) != 1 || found[0].Rule != "sender.null" {
		t.Errorf("spam: %+v", found)
	}
	bounce := from("Mailer <MAILER-DAEMON@mx.example>", links)
	if found, _ := new(Scanner).Scan(t.Context(), bounce, about); len(found) != 0 {
		t.Errorf("bounce: %+v", found)
	}
}

func BenchmarkScan(b *testing.B) {
	m := from("Ann Smith <ann@shop.example>", reply("ann@shop.example"))
	about := scan.About{Domains: []string{"contoso.example"}, People: []string{"Clara Boss"}, Envelope: mail.Envelope{From: "ann@shop.example"}}
	for b.Loop() {
		new(Scanner).Scan(b.Context(), m, about)
	}
}
