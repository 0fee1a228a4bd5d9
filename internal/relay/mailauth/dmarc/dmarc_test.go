package dmarc

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"postern/internal/mail"
)

// zone is a fake DNS: TXT records by name, hosts that exist, and names that fail.
type zone struct {
	txt     map[string][]string
	hosts   []string
	broken  []string
	mu      sync.Mutex
	queries []string
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.mu.Lock()
	z.queries = append(z.queries, name)
	z.mu.Unlock()
	if slices.Contains(z.broken, name) {
		return nil, &net.DNSError{Err: "timeout", IsTimeout: true}
	}
	if v := z.txt[name]; v != nil {
		return v, nil
	}
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

func (z *zone) LookupMX(context.Context, string) ([]*net.MX, error) {
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

func (z *zone) LookupIPAddr(_ context.Context, host string) ([]net.IPAddr, error) {
	if slices.Contains(z.hosts, host) {
		return []net.IPAddr{{IP: net.IPv4(192, 0, 2, 1)}}, nil
	}
	if slices.Contains(z.broken, host) {
		return nil, &net.DNSError{Err: "timeout", IsTimeout: true}
	}
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

// records is "name: record" by line, of _dmarc names.
func records(text string) *zone {
	z := &zone{txt: map[string][]string{}}
	for line := range strings.Lines(text) {
		if name, record, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			z.txt["_dmarc."+name] = append(z.txt["_dmarc."+name], record)
		}
	}
	return z
}

func from(value string) mail.Header {
	h, _ := mail.SplitHeader([]byte(value))
	return h
}

func TestEvaluate(t *testing.T) {
	const base = "example.com: v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s\n"
	for _, c := range []struct {
		name   string
		zone   string
		hosts  string
		author string
		spf    string // domain that passed, or "result domain"
		dkim   string
		want   string // result policy record
	}{
		// which record applies (RFC 9989 §4.10.1)
		{"no record anywhere", "", "", "example.com", "example.com", "example.com", "none   spf dkim"},
		{"record of the domain itself", base, "", "example.com", "", "", "fail reject example.com"},
		{"sp for a subdomain that exists", base, "a.example.com", "a.example.com", "", "", "fail quarantine example.com"},
		{"np for a subdomain that does not", base, "", "a.example.com", "", "", "fail none example.com"},
		{"np beats p where sp is missing", "example.com: v=DMARC1; p=none; np=reject", "", "x.example.com", "", "", "fail reject example.com"},
		{"np is not for the domain itself", "example.com: v=DMARC1; p=none; np=reject", "", "example.com", "", "", "fail none example.com"},
		{"sp where np is missing", "example.com: v=DMARC1; p=none; sp=reject", "", "x.example.com", "", "", "fail reject example.com"},
		{"p where sp is missing", "example.com: v=DMARC1; p=quarantine", "", "x.example.com", "", "", "fail quarantine example.com"},
		{"own record of a subdomain, its p not its sp", "example.com: v=DMARC1; p=reject\na.example.com: v=DMARC1; p=none; sp=reject", "", "a.example.com", "", "", "fail none a.example.com"},
		{"a record between is passed over", "example.com: v=DMARC1; p=reject\na.example.com: v=DMARC1; p=none", "", "b.a.example.com", "", "", "fail reject example.com"},
		{"psd=n makes a part its own organization", "example.com: v=DMARC1; p=reject\na.example.com: v=DMARC1; p=none; psd=n", "", "b.a.example.com", "", "", "fail none a.example.com"},
		{"public suffix with psd=y", "gov.example: v=DMARC1; p=reject; psd=y", "", "x.gov.example", "", "", "fail reject gov.example"},
		{"organization before public suffix", "gov.example: v=DMARC1; p=reject; psd=y\nx.gov.example: v=DMARC1; p=none", "", "a.x.gov.example", "", "", "fail none x.gov.example"},
		{"np of a public suffix", "gov.example: v=DMARC1; p=none; np=reject; psd=y", "", "x.gov.example", "", "", "fail reject gov.example"},
		{"a top-level domain's record", "example: v=DMARC1; p=reject; psd=y", "", "x.example", "", "", "fail reject example"},
		{"two records are as none", "example.com: v=DMARC1; p=reject\nexample.com: v=DMARC1; p=none", "", "example.com", "", "", "none  "},
		{"another TXT record beside", "example.com: v=spf1 -all\nexample.com: v=DMARC1; p=reject", "", "example.com", "", "", "fail reject example.com"},
		{"eight labels are still one walk", "example.com: v=DMARC1; p=reject", "", "a.b.c.d.e.f.example.com", "", "", "fail reject example.com"},
		{"a long name is cut to seven labels", "example.com: v=DMARC1; p=reject", "", "a.b.c.d.e.f.g.h.i.j.k.example.com", "", "", "fail reject example.com"},
		{"what the cut passes over is not asked", "e.f.g.h.i.j.k.example.com: v=DMARC1; p=none\nexample.com: v=DMARC1; p=reject", "", "a.b.c.d.e.f.g.h.i.j.k.example.com", "", "", "fail reject example.com"},
		// the record (RFC 9989 §4.7)
		{"p missing is none", "example.com: v=DMARC1; rua=mailto:a@example.com", "", "example.com", "", "", "fail none example.com"},
		{"p unknown is none", "example.com: v=DMARC1; p=block", "", "example.com", "", "", "fail none example.com"},
		{"p not in second place", "example.com: v=DMARC1; adkim=s; p=reject", "", "example.com", "", "", "fail reject example.com"},
		{"unknown tags are ignored", "example.com: v=DMARC1; pct=50; rf=afrf; ri=1; zz=1; p=reject", "", "example.com", "", "", "fail reject example.com"},
		{"version in small letters is no record", "example.com: v=dmarc1; p=reject", "", "example.com", "", "", "none  "},
		{"version not first is no record", "example.com: p=reject; v=DMARC1", "", "example.com", "", "", "none  "},
		{"a longer version is no record", "example.com: v=DMARC10; p=reject", "", "example.com", "", "", "none  "},
		{"blanks around tags", "example.com:   v = DMARC1 ;  p =  reject ; ", "", "example.com", "", "", "fail reject example.com"},
		{"values in capitals", "example.com: v=DMARC1; p=REJECT", "", "example.com", "", "", "fail reject example.com"},
		{"the first of two p counts", "example.com: v=DMARC1; p=reject; p=none", "", "example.com", "", "", "fail reject example.com"},
		{"t=y makes reject quarantine", "example.com: v=DMARC1; p=reject; t=y", "", "example.com", "", "", "fail quarantine example.com"},
		{"t=y makes quarantine none", "example.com: v=DMARC1; p=quarantine; t=y", "", "example.com", "", "", "fail none example.com"},
		{"t=n changes nothing", "example.com: v=DMARC1; p=reject; t=n", "", "example.com", "", "", "fail reject example.com"},
		{"a lone tag without = is ignored", "example.com: v=DMARC1; p=reject; x", "", "example.com", "", "", "fail reject example.com"},
		// alignment (RFC 9989 §4.4)
		{"SPF of the same domain", "example.com: v=DMARC1; p=reject", "", "example.com", "example.com", "", "pass reject example.com spf"},
		{"DKIM of the same domain", "example.com: v=DMARC1; p=reject", "", "example.com", "", "example.com", "pass reject example.com dkim"},
		{"both", "example.com: v=DMARC1; p=reject", "", "example.com", "example.com", "example.com", "pass reject example.com spf dkim"},
		{"SPF of a subdomain, relaxed", "example.com: v=DMARC1; p=reject", "", "example.com", "bounce.example.com", "", "pass reject example.com spf"},
		{"DKIM of the parent, relaxed", "example.com: v=DMARC1; p=reject", "", "news.example.com", "", "example.com", "pass reject example.com dkim"},
		{"DKIM of a sibling, relaxed", "example.com: v=DMARC1; p=reject", "", "a.example.com", "", "b.example.com", "pass reject example.com dkim"},
		{"SPF of a subdomain, strict", "example.com: v=DMARC1; p=reject; aspf=s", "", "example.com", "bounce.example.com", "", "fail reject example.com"},
		{"DKIM of a subdomain, strict", "example.com: v=DMARC1; p=reject; adkim=s", "", "example.com", "", "a.example.com", "fail reject example.com"},
		{"SPF of the same domain, strict", "example.com: v=DMARC1; p=reject; aspf=s; adkim=s", "", "example.com", "example.com", "", "pass reject example.com spf"},
		{"aspf unknown is relaxed", "example.com: v=DMARC1; p=reject; aspf=x", "", "example.com", "a.example.com", "", "pass reject example.com spf"},
		{"another domain", "example.com: v=DMARC1; p=reject", "", "example.com", "example.net", "example.org", "fail reject example.com"},
		{"a domain that ends alike", "example.com: v=DMARC1; p=reject", "", "example.com", "badexample.com", "notexample.com", "fail reject example.com"},
		{"only the top-level domain in common", "example.com: v=DMARC1; p=reject", "", "example.com", "attacker.com", "com", "fail reject example.com"},
		{"two names under one public suffix", "gov.example: v=DMARC1; p=reject; psd=y", "", "a.gov.example", "b.gov.example", "b.gov.example", "fail reject gov.example"},
		{"the public suffix itself is no parent", "gov.example: v=DMARC1; p=reject; psd=y", "", "a.gov.example", "gov.example", "", "fail reject gov.example"},
		{"names below one name under a public suffix", "gov.example: v=DMARC1; p=reject; psd=y", "", "x.a.gov.example", "y.a.gov.example", "", "pass reject gov.example spf"},
		{"psd=n keeps a part apart from its parent", "example.com: v=DMARC1; p=reject\na.example.com: v=DMARC1; p=reject; psd=n", "", "a.example.com", "example.com", "b.example.com", "fail reject a.example.com"},
		{"psd=n and what is below it", "a.example.com: v=DMARC1; p=reject; psd=n", "", "a.example.com", "x.a.example.com", "", "pass reject a.example.com spf"},
		{"SPF failed", "example.com: v=DMARC1; p=reject", "", "example.com", "fail example.com", "", "fail reject example.com"},
		{"SPF softfail", "example.com: v=DMARC1; p=reject", "", "example.com", "softfail example.com", "", "fail reject example.com"},
		{"SPF neutral", "example.com: v=DMARC1; p=reject", "", "example.com", "neutral example.com", "", "fail reject example.com"},
		{"DKIM policy is no pass", "example.com: v=DMARC1; p=reject", "", "example.com", "", "policy example.com", "fail reject example.com"},
		{"DKIM failed", "example.com: v=DMARC1; p=reject", "", "example.com", "", "fail example.com", "fail reject example.com"},
		{"DKIM permerror", "example.com: v=DMARC1; p=reject", "", "example.com", "", "permerror example.com", "fail reject example.com"},
		{"one good signature of three", "example.com: v=DMARC1; p=reject", "", "example.com", "", "fail example.com, example.org, example.com", "pass reject example.com dkim"},
		{"identifiers in capitals", "example.com: v=DMARC1; p=reject", "", "example.com", "EXAMPLE.Com", "", "pass reject example.com spf"},
		{"an IDN and its A-label", "xn--mnchen-3ya.example: v=DMARC1; p=reject", "", "xn--mnchen-3ya.example", "münchen.example", "", "pass reject xn--mnchen-3ya.example spf"},
		{"without a record nothing is pass", "", "", "example.com", "example.com", "", "none   spf"},
		// what DNS does not say
		{"own SPF look-up failed", "example.com: v=DMARC1; p=reject", "", "example.com", "temperror example.com", "", "temperror reject example.com"},
		{"own DKIM look-up failed", "example.com: v=DMARC1; p=reject", "", "example.com", "", "temperror a.example.com", "temperror reject example.com"},
		{"an attacker's look-up failed", "example.com: v=DMARC1; p=reject", "", "example.com", "temperror evil.example", "temperror evil.com", "fail reject example.com"},
		{"a failed look-up beside a pass", "example.com: v=DMARC1; p=reject", "", "example.com", "temperror example.com", "example.com", "pass reject example.com dkim"},
		// Microsoft's tenants
		{"a tenant itself", "onmicrosoft.com: v=DMARC1; p=reject", "", "contoso.onmicrosoft.com", "", "contoso.onmicrosoft.com", "pass reject onmicrosoft.com dkim"},
		{"another tenant", "onmicrosoft.com: v=DMARC1; p=reject", "", "contoso.onmicrosoft.com", "evil.onmicrosoft.com", "evil.onmicrosoft.com", "fail reject onmicrosoft.com"},
		{"another tenant, own record", "contoso.onmicrosoft.com: v=DMARC1; p=reject\nonmicrosoft.com: v=DMARC1; p=none", "", "contoso.onmicrosoft.com", "evil.onmicrosoft.com", "onmicrosoft.com", "fail reject contoso.onmicrosoft.com"},
		{"another tenant, nobody says psd", "contoso.onmicrosoft.com: v=DMARC1; p=reject", "", "contoso.onmicrosoft.com", "evil.onmicrosoft.com", "", "fail reject contoso.onmicrosoft.com"},
		{"below a tenant", "contoso.onmicrosoft.com: v=DMARC1; p=reject", "", "contoso.onmicrosoft.com", "", "a.contoso.onmicrosoft.com", "pass reject contoso.onmicrosoft.com dkim"},
		{"routing domains of two tenants", "contoso.mail.onmicrosoft.com: v=DMARC1; p=reject", "", "contoso.mail.onmicrosoft.com", "", "evil.mail.onmicrosoft.com", "fail reject contoso.mail.onmicrosoft.com"},
		{"a tenant of the government's cloud", "contoso.onmicrosoft.us: v=DMARC1; p=reject", "", "contoso.onmicrosoft.us", "", "evil.onmicrosoft.us", "fail reject contoso.onmicrosoft.us"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := records(c.zone)
			z.hosts = strings.Fields(c.hosts)
			got := Discover(context.Background(), z, from("From: a@"+c.author+"\r\n")).Evaluate(spfOf(c.spf), dkimOf(c.dkim))
			text := fmt.Sprintf("%s %s %s", got.Result, got.Policy, got.Record)
			if got.AlignedSPF {
				text += " spf"
			}
			if got.AlignedDKIM {
				text += " dkim"
			}
			if text != c.want || got.Domain != c.author {
				t.Errorf("got %q for %s, want %q", text, got.Domain, c.want)
			}
			if n := len(z.queries); n > 3*maxQueries {
				t.Errorf("%d queries: %v", n, z.queries)
			}
		})
	}
}

func spfOf(text string) mail.SPF {
	r, d, ok := strings.Cut(text, " ")
	if !ok {
		r, d = "pass", text
	}
	if text == "" {
		return mail.SPF{Result: mail.ResultNone}
	}
	return mail.SPF{Result: mail.Result(r), Domain: d}
}

func dkimOf(text string) []mail.DKIM {
	var out []mail.DKIM
	for part := range strings.SplitSeq(text, ", ") {
		if s := spfOf(part); s.Domain != "" {
			out = append(out, mail.DKIM{Result: s.Result, Domain: s.Domain})
		}
	}
	return out
}

func TestAuthor(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"From: a@example.com\r\n", "example.com"},
		{"From: A B <a@Example.COM>\r\n", "example.com"},
		{"from:\r\n \"x@bank.example\" <a@example.com>\r\n", "example.com"},
		{"From: =?utf-8?B?w6Q=?= <a@example.com>\r\n", "example.com"},
		{"From: =?x-unknown?Q?=E4?= <a@example.com>\r\n", "example.com"},
		{"From: \xe4\xf6 <a@example.com>\r\n", "example.com"},
		{"From: Doe, John <j.doe@example.com>\r\n", "example.com"},
		{"From: J. Doe (x) <a@example.com>\r\n", "example.com"},
		{"From: a@example.com, b@example.com\r\n", "example.com"},
		{"From: G: a@example.com;\r\n", "example.com"},
		{"From: a@bücher.example\r\n", "xn--bcher-kva.example"},
		{"From: \"a b\"@example.com\r\n", "example.com"},
		{"", ""},
		{"Subject: From: a@example.com\r\n", ""},
		{"From: \r\n", ""},
		{"From: undisclosed:;\r\n", ""},
		{"From: a@example.com\r\nFrom: b@bank.example\r\n", ""},
		{"From : a@example.com\r\nFrom: b@bank.example\r\n", ""},
		{"From\r\n : a@example.com\r\nFrom: b@bank.example\r\n", ""},
		{"\x00From: a@example.com\r\nFrom: b@bank.example\r\n", ""},
		{"From: <a@example.com>, <b@bank.example>\r\n", ""},
		{"From: <b@bank.example>\\,<a@example.com>\r\n", ""},
		{"From: b@bank.example <a@example.com>\r\n", ""},
		{"From:=?utf-8?B?PGJAYmFuay5leGFtcGxlPg==?=,<a@example.com>\r\n", ""},
		{"From: =?utf-8?Q?b=40bank=2Eexample=2C?= , x <a@example.com>\r\n", ""},
		{"From: <b@bank.example> <a@example.com>\r\n", ""},
		{"From: <a@example.com\x00@bank.example>\r\n", ""},
		{"From: <a@[192.0.2.1]>\r\n", ""},
		{"From: <@example.com>\r\n", ""},
		{"From: a\r\n", ""},
		{"From: " + strings.Repeat("a ", maxFrom) + "<a@example.com>\r\n", ""},
		{"From: <a@exa mple.com>\r\n", ""},
	} {
		got, err := Author(from(c.header))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.header, got, err, c.want)
		}
	}
}

func TestOneWalkAsksAtMostEightNames(t *testing.T) {
	z := records("")
	Discover(context.Background(), z, from("From: a@"+strings.Repeat("a.", 60)+"example.com\r\n"))
	if len(z.queries) != maxQueries {
		t.Errorf("%d queries: %v", len(z.queries), z.queries)
	}
}

func TestBrokenDNSIsTemporary(t *testing.T) {
	for _, broken := range []string{"_dmarc.a.example.com", "_dmarc.example.com", "_dmarc.com"} {
		z := records("example.com: v=DMARC1; p=reject")
		z.broken = []string{broken}
		if got := Discover(context.Background(), z, from("From: a@a.example.com\r\n")).Evaluate(mail.SPF{}, nil); got.Result != mail.ResultTempError {
			t.Errorf("%s: %+v", broken, got)
		}
	}
	z := records("example.com: v=DMARC1; p=none; np=reject")
	z.broken = []string{"a.example.com"}
	if got := Discover(context.Background(), z, from("From: a@a.example.com\r\n")).Evaluate(mail.SPF{}, nil); got.Result != mail.ResultTempError {
		t.Errorf("np: %+v", got)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("v=DMARC1; p=reject; sp=none; np=quarantine; t=y; psd=n")
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := ParseRecord(text)
		if ok && r.Policy != "none" && r.Policy != "quarantine" && r.Policy != "reject" {
			t.Fatalf("%+v", r)
		}
	})
}

func FuzzAuthor(f *testing.F) {
	f.Add("From: \"a\" <b@c.example>\r\n")
	f.Add("From: Doe, J <b@c.example>\r\nFrom : x@y.example\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Author(from(text))
		if err == nil {
			if folded, err := mail.FoldDomain(d); err != nil || folded != d {
				t.Fatalf("%q from %q", d, text)
			}
		}
	})
}
