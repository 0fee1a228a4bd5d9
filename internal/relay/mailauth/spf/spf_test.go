package spf

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	library "blitiri.com.ar/go/spf"

	"postern/internal/mail"
)

// counting wraps a zone and counts questions.
type counting struct {
	zone
	n int
}

func (c *counting) LookupTXT(ctx context.Context, name string) ([]string, error) {
	c.n++
	return c.zone.LookupTXT(ctx, name)
}

func (c *counting) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	c.n++
	return c.zone.LookupIPAddr(ctx, name)
}

func txt(pairs ...string) zone {
	z := zone{}
	for i := 0; i+1 < len(pairs); i += 2 {
		z[pairs[i]] = map[string][]string{"TXT": {pairs[i+1]}}
	}
	return z
}

func TestHostileRecordsEnd(t *testing.T) {
	wide := zone{}
	for i := range 200 {
		var terms []string
		for j := range 20 {
			terms = append(terms, fmt.Sprintf("include:d%d.example", (i*20+j)%200))
		}
		wide[fmt.Sprintf("d%d.example", i)] = map[string][]string{"TXT": {"v=spf1 " + strings.Join(terms, " ")}}
	}
	void := txt("d0.example", "v=spf1 a:x1.example a:x2.example a:x3.example a:x4.example +all")
	for name, z := range map[string]zone{
		"redirect to itself":       txt("d0.example", "v=spf1 redirect=d0.example"),
		"include of itself":        txt("d0.example", "v=spf1 include:d0.example"),
		"includes that spread":     wide,
		"names that do not exist":  void,
		"include of nothing":       txt("d0.example", "v=spf1 include:none.example +all"),
		"redirect to nothing":      txt("d0.example", "v=spf1 redirect=none.example"),
		"an error behind a match":  txt("d0.example", "v=spf1 +all bogus"),
		"an error in an include":   txt("d0.example", "v=spf1 include:d1.example", "d1.example", "v=spf1 ip4:x"),
		"two records":              {"d0.example": {"TXT": {"v=spf1 +all", "v=spf1 -all"}}},
		"macro that grows":         txt("d0.example", "v=spf1 exists:"+strings.Repeat("%{s}", 5000)+".example."+strings.Repeat("x", 300)),
		"label of the wrong kind":  txt("d0.example", "v=spf1 a:foo.123 +all"),
		"prefix length too long":   txt("d0.example", "v=spf1 ip4:192.0.2.1/33 +all"),
		"ip6 in the place of ip4":  txt("d0.example", "v=spf1 ip4:::1 +all"),
		"octets that are no ASCII": txt("d0.example", "v=spf1 a:\xff.example +all"),
	} {
		c := &counting{zone: z}
		got := Check(context.Background(), c, netip.MustParseAddr("192.0.2.1"), "h.example", "a@d0.example")
		if got.Result != mail.ResultPermError {
			t.Errorf("%s: %+v", name, got)
		}
		if c.n > 2*maxLookups+2 {
			t.Errorf("%s: %d questions", name, c.n)
		}
	}
}

func TestIdentity(t *testing.T) {
	z := txt("sender.example", "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all", "helo.example", "v=spf1 +all")
	for _, c := range []struct {
		ip, helo, from string
		want           mail.Result
		domain         string
	}{
		{"192.0.2.1", "helo.example", "a@sender.example", "pass", "sender.example"},
		{"::ffff:192.0.2.1", "helo.example", "a@sender.example", "pass", "sender.example"},
		{"2001:db8::1", "helo.example", "a@sender.example", "pass", "sender.example"},
		{"192.0.2.2", "helo.example", "a@SENDER.example", "fail", "sender.example"},
		{"192.0.2.2", "helo.example", "", "pass", "helo.example"},
		{"192.0.2.2", "helo.example", "@sender.example", "fail", "sender.example"},
		{"192.0.2.2", "[192.0.2.2]", "", "none", ""},
		{"192.0.2.2", "localhost", "", "none", ""},
		{"192.0.2.2", "helo.example", "any@sender.example(a.helo.example", "none", ""},
		{"192.0.2.2", "helo.example", "a@nothing.example", "none", "nothing.example"},
		{"", "helo.example", "a@sender.example", "none", "sender.example"},
	} {
		ip, _ := netip.ParseAddr(c.ip)
		got := Check(context.Background(), z, ip, c.helo, c.from)
		if got.Result != c.want || got.Domain != c.domain || (got.Reason == "") != (c.want == "pass") {
			t.Errorf("%v: %+v", c, got)
		}
	}
}

// FuzzRecord compares with the library on records that both hold for well formed:
// it does not look for errors behind a match.
func FuzzRecord(f *testing.F) {
	f.Add("v=spf1 ip4:192.0.2.0/24 a:b.example//64 mx include:c.example exists:%{ir}.%{v}._spf.%{d2} ~all")
	f.Add("v=spf1 redirect=c.example exp=e.example x=%{s}")
	f.Fuzz(func(t *testing.T, record string) {
		z := txt("d.example", record, "c.example", "v=spf1 ip4:192.0.2.1 -all")
		z["b.example"] = map[string][]string{"A": {"192.0.2.1"}}
		start := time.Now()
		got := Check(context.Background(), z, netip.MustParseAddr("192.0.2.1"), "h.example", "a@d.example")
		if time.Since(start) > time.Second {
			t.Fatal("slow")
		}
		if got.Result == mail.ResultPermError || !isRecord(record) {
			return
		}
		theirs, err := library.CheckHostWithSender(net.IPv4(192, 0, 2, 1), "h.example", "a@d.example", library.WithResolver(z))
		if theirs != library.PermError && string(theirs) != string(got.Result) {
			t.Fatalf("%q: %+v, library says %s (%v)", record, got, theirs, err)
		}
	})
}
