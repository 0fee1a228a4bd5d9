package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/internal/metric"
)

func serve(t *testing.T, records string) (*Zone, *Resolver) {
	t.Helper()
	z, err := NewZone(records)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	r := New(z.Addr())
	r.Timeout, r.Budget = 30*time.Second, time.Minute // a busy machine is no dead server
	return z, r
}

const records = `
example.com.       300 MX  20 mx2.example.com.
example.com.       300 MX  10 mx1.example.com.
example.com.           TXT "v=spf1 " "include:_spf.example.com -all"
example.com.           TXT "quoted \" back \\ tab \009 e-acute \195\169"
null.example.          MX  0 .
mx1.example.com.       A    192.0.2.1
mx1.example.com.       A    192.0.2.2
mx1.example.com.       AAAA 2001:db8::1
six.example.com.       AAAA 2001:db8::6
alias.example.com.     CNAME alias2.example.com.
alias2.example.com.    CNAME mx1.example.com.
loop.example.com.      CNAME pool.example.com.
pool.example.com.      CNAME loop.example.com.
dangling.example.com.  CNAME gone.example.com.
*.wild.example.        A    192.0.2.9
1.2.0.192.in-addr.arpa. PTR mx1.example.com.
`

func TestLookUpsAnswerAsTheSystemResolverDoes(t *testing.T) {
	_, r := serve(t, records)
	ctx := t.Context()
	mx, err := r.LookupMX(ctx, "Example.COM")
	if err != nil || len(mx) != 2 || *mx[0] != (net.MX{Host: "mx1.example.com.", Pref: 10}) || mx[1].Pref != 20 {
		t.Errorf("MX = %v, %v", mx, err)
	}
	txt, err := r.LookupTXT(ctx, "example.com")
	want := []string{"v=spf1 include:_spf.example.com -all", "quoted \" back \\ tab \t e-acute é"}
	slices.Sort(txt)
	slices.Sort(want)
	if err != nil || !slices.Equal(txt, want) {
		t.Errorf("TXT = %q, %v", txt, err)
	}
	for host, want := range map[string]string{
		"mx1.example.com":   "192.0.2.1 192.0.2.2 2001:db8::1",
		"alias.example.com": "192.0.2.1 192.0.2.2 2001:db8::1",
		"six.example.com":   "2001:db8::6",
		"a.wild.example":    "192.0.2.9",
		"198.51.100.7":      "198.51.100.7",
		"localhost":         "127.0.0.1 ::1",
	} {
		addrs, err := r.LookupIPAddr(ctx, host)
		var got []string
		for _, a := range addrs {
			got = append(got, a.String())
		}
		if len(got) > 1 {
			slices.Sort(got[:len(got)-1])
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("addresses of %s = %v, %v; want %s", host, got, err, want)
		}
	}
	for host, want := range map[string]string{"alias.example.com": "mx1.example.com.", "six.example.com": "six.example.com.", "mx1.example.com.": "mx1.example.com."} {
		if got, err := r.LookupCNAME(ctx, host); got != want || err != nil {
			t.Errorf("CNAME of %s = %s, %v; want %s", host, got, err, want)
		}
	}
	if names, err := r.LookupAddr(ctx, "192.0.2.1"); err != nil || !slices.Equal(names, []string{"mx1.example.com."}) {
		t.Errorf("names of 192.0.2.1 = %v, %v", names, err)
	}
	if mx, err := r.LookupMX(ctx, "null.example"); err != nil || len(mx) != 1 || mx[0].Host != "." {
		t.Errorf("null MX = %v, %v", mx, err)
	}
}

func TestErrorsSayWhetherToTryAgain(t *testing.T) {
	z, r := serve(t, records)
	z.Add("broken.example. A 192.0.2.3\nsilent.example. A 192.0.2.4\nrefused.example. A 192.0.2.5")
	z.Fail("broken.example", 2)
	z.Fail("refused.example", 5)
	z.Silence("silent.example", true)
	for _, tt := range []struct {
		name                         string
		notFound, temporary, timeout bool
	}{
		{name: "nowhere.example", notFound: true},
		{name: "six.wild.example.com", notFound: true},
		{name: "in-addr.arpa", notFound: true}, // exists, has no records
		{name: "dangling.example.com", notFound: true},
		{name: "a..b", notFound: true},
		{name: "", notFound: true},
		{name: strings.Repeat("a", 64) + ".example", notFound: true},
		{name: "with space.example", notFound: true},
		{name: "loop.example.com", temporary: true},
		{name: "broken.example", temporary: true},
		{name: "refused.example", temporary: true},
		{name: "silent.example", temporary: true, timeout: true},
	} {
		ask := r
		if tt.timeout {
			ask = New(z.Addr())
			ask.Timeout = 100 * time.Millisecond
		}
		_, err := ask.LookupIPAddr(t.Context(), tt.name)
		var e *net.DNSError
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v is no DNSError", tt.name, err)
			continue
		}
		if e.IsNotFound != tt.notFound || e.IsTemporary != tt.temporary || e.IsTimeout != tt.timeout || e.Name != tt.name {
			t.Errorf("%q: %+v", tt.name, e)
		}
	}
}

func TestAnAnswerIsAskedForOncePerTTL(t *testing.T) {
	z, r := serve(t, records)
	now := time.Now()
	r.Now = func() time.Time { return now }
	reg := prometheus.NewRegistry()
	r.Metric = metric.New(reg)
	for _, step := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {299 * time.Second, 1}, {time.Second, 2}, {time.Second, 2}} {
		now = now.Add(step.after)
		if _, err := r.LookupMX(t.Context(), "example.com"); err != nil {
			t.Fatal(err)
		}
		if got := z.Asked("example.com", "MX"); got != step.asked {
			t.Errorf("after %v the server was asked %d times, want %d", step.after, got, step.asked)
		}
	}
	if hits, ok := testutil.ToFloat64(r.Metric.Lookups.WithLabelValues("hit")), testutil.ToFloat64(r.Metric.Lookups.WithLabelValues("ok")); hits != 2 || ok != 2 {
		t.Errorf("counted %v hits and %v answers, want 2 and 2", hits, ok)
	}
}

func TestThatThereIsNothingIsRememberedForTheMinimumOfTheSOA(t *testing.T) {
	z, r := serve(t, records)
	now := time.Now()
	r.Now = func() time.Time { return now }
	for _, step := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {59 * time.Second, 1}, {2 * time.Second, 2}} {
		now = now.Add(step.after)
		if _, err := r.LookupTXT(t.Context(), "nowhere.example"); !isNotFound(err) {
			t.Fatal(err)
		}
		if got := z.Asked("nowhere.example", "TXT"); got != step.asked {
			t.Errorf("after %v the server was asked %d times, want %d", step.after, got, step.asked)
		}
	}
}

func TestAFailureIsForgottenAfterASecond(t *testing.T) {
	z, r := serve(t, records)
	now := time.Now()
	r.Now = func() time.Time { return now }
	z.Fail("example.com", 2)
	if _, err := r.LookupMX(t.Context(), "example.com"); err == nil {
		t.Fatal("SERVFAIL gave an answer")
	}
	z.Fail("example.com", 0)
	now = now.Add(1100 * time.Millisecond)
	if _, err := r.LookupMX(t.Context(), "example.com"); err != nil {
		t.Errorf("the server is back but: %v", err)
	}
}

func TestALongAnswerComesOverTCP(t *testing.T) {
	z, r := serve(t, "")
	for i := range 400 {
		z.Add(fmt.Sprintf("many.example. A 192.0.%d.%d", 2+i/250, i%250))
	}
	z.Add("long.example. TXT " + strings.Repeat(`"`+strings.Repeat("x", 250)+`" `, 40))
	addrs, err := r.LookupIPAddr(t.Context(), "many.example")
	if err != nil || len(addrs) != 400 {
		t.Errorf("%d addresses, %v; want 400", len(addrs), err)
	}
	if txt, err := r.LookupTXT(t.Context(), "long.example"); err != nil || len(txt) != 1 || len(txt[0]) != 10000 {
		t.Errorf("TXT: %v", err)
	}
}

func TestTheNextServerAnswersWhenOneIsDead(t *testing.T) {
	dead, err := net.ListenPacket("udp", "127.0.0.1:0") // takes questions, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	lame, _ := serve(t, "")
	lame.Fail("example.com", 5)
	lame.Fail("mx1.example.com", 2)
	_, r := serve(t, records)
	r.Servers = []string{dead.LocalAddr().String(), lame.Addr(), r.Servers[0]}
	r.Timeout = time.Second
	asked := func() (n int) { // how many questions the dead one has got since it was asked last
		dead.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		for b := make([]byte, 512); ; n++ {
			if _, _, err := dead.ReadFrom(b); err != nil {
				return n
			}
		}
	}
	if _, err := r.LookupMX(t.Context(), "example.com"); err != nil {
		t.Fatal(err)
	}
	if asked() == 0 {
		t.Error("the first question went past the first server")
	}
	r.Timeout = 30 * time.Second
	if _, err := r.LookupIPAddr(t.Context(), "mx1.example.com"); err != nil {
		t.Fatal(err)
	}
	if n := asked(); n > 0 {
		t.Errorf("the dead server was asked %d more times: the server that answered is not asked first", n)
	}
}

func TestOneThousandCallersAskOnce(t *testing.T) {
	z, r := serve(t, records)
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if addrs, err := r.LookupIPAddr(context.Background(), "mx1.example.com"); err != nil || len(addrs) != 3 {
				t.Errorf("%v, %v", addrs, err)
			}
		})
	}
	wg.Wait()
	if n := z.Asked("mx1.example.com", "A"); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}

func TestACallerMayGiveUp(t *testing.T) {
	z, r := serve(t, "slow.example. A 192.0.2.1")
	z.Silence("slow.example", true)
	r.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := r.LookupTXT(ctx, "slow.example")
	var e *net.DNSError
	if !errors.As(err, &e) || !e.IsTimeout || !e.IsTemporary || time.Since(began) > 30*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestAForgedReplyIsIgnored(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	z, _ := serve(t, "bank.example. A 192.0.2.1")
	go func() { // a liar in front of the true server: junk, wrong id, wrong question
		buf := make([]byte, 2000)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			up, err := net.Dial("udp", z.Addr())
			if err != nil {
				return
			}
			up.Write(buf[:n])
			m, _ := up.Read(buf)
			up.Close()
			reply := slices.Clone(buf[:m])
			forged := slices.Clone(reply)
			forged[0] ^= 0xff
			pc.WriteTo(forged, from)
			forged = slices.Clone(reply)
			forged[13] ^= 0x01 // first letter of the question
			pc.WriteTo(forged, from)
			pc.WriteTo([]byte("\x00\x01"), from)
			pc.WriteTo(reply, from)
		}
	}()
	r := New(pc.LocalAddr().String())
	r.Timeout, r.Budget = 30*time.Second, time.Minute
	addrs, err := r.LookupIPAddr(t.Context(), "bank.example")
	if err != nil || len(addrs) != 1 || addrs[0].String() != "192.0.2.1" {
		t.Errorf("%v, %v", addrs, err)
	}
}

func TestTheCacheStaysWithinItsBounds(t *testing.T) {
	c := cache{maxEntries: 100, maxOctets: 100_000}
	now := time.Now()
	for i := range 10_000 {
		c.put(question{fmt.Sprint(i), 1}, answer{ttl: time.Hour, octets: i % 5000}, now)
		if len(c.entries) > 100 || c.octets > 100_000 {
			t.Fatalf("%d entries of %d octets", len(c.entries), c.octets)
		}
	}
	sum := 0
	for _, e := range c.entries {
		sum += e.size()
	}
	if sum != c.octets {
		t.Errorf("counted %d octets, there are %d", c.octets, sum)
	}
	if _, ok := c.get(question{"9999", 1}, now); !ok {
		t.Error("the newest entry is gone")
	}
}

func TestNamesOfTheHostsFileComeFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	os.WriteFile(path, []byte("# ours\n10.1.2.3 mail.corp.example Mail # inside\n\nnot-an-address x\nfe80::1 six\n"), 0o644)
	_, r := serve(t, "mail.corp.example. A 192.0.2.1\nother.example. A 192.0.2.2")
	r.hosts = &hostsFile{path: path}
	for host, want := range map[string]string{"mail.corp.example.": "10.1.2.3", "MAIL": "10.1.2.3", "other.example": "192.0.2.2"} {
		addrs, err := r.LookupIPAddr(t.Context(), host)
		if err != nil || len(addrs) != 1 || addrs[0].String() != want {
			t.Errorf("%s: %v, %v; want %s", host, addrs, err, want)
		}
	}
	os.WriteFile(path, []byte("10.9.9.9 mail.corp.example\n"), 0o644)
	if addrs, err := r.LookupIPAddr(t.Context(), "mail.corp.example"); err != nil || addrs[0].String() != "10.9.9.9" {
		t.Errorf("after a change: %v, %v", addrs, err)
	}
}

func TestAZoneNamesTheLineItDoesNotUnderstand(t *testing.T) {
	if _, err := NewZone("example.com. MX ten mx.example.com."); err == nil || !strings.Contains(err.Error(), "line: 1") {
		t.Errorf("error: %v", err)
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add(`a\"b\\c\009d\`)
	f.Fuzz(func(t *testing.T, s string) {
		if len(unescape(s)) > len(s) {
			t.Errorf("%q grew", s)
		}
	})
}
