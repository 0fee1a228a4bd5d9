package judge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/mail"
)

// The test binary is its own worker, as the product's is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "judge-worker" {
		if err := Worker(os.Stdin, os.Stdout, hostile); err != nil {
			fmt.Fprintln(os.Stderr, "judge-worker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hostile is a Func whose octets say what it does: a verb, then blanks and
// whatever.
func hostile(dns Resolver) Func {
	served := 0
	return func(ctx context.Context, job *Job, octets []byte) *mail.Judgement {
		served++
		verb, rest, _ := strings.Cut(string(octets), " ")
		j := &mail.Judgement{Subject: fmt.Sprint(len(octets)), MessageID: fmt.Sprint(served)}
		switch verb {
		case "crash":
			var m map[string]int
			m["x"]++
		case "spin":
			for i := 0; ; i++ {
			}
		case "threads": // each goroutine keeps a thread of its own
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					runtime.LockOSThread()
					time.Sleep(10 * time.Millisecond)
				})
			}
			all.Wait()
		case "sleep":
			time.Sleep(time.Hour)
		case "eat":
			var all [][]byte
			for {
				all = append(all, bytes.Repeat([]byte{1}, 16<<20))
			}
		case "overflow":
			deep(1)
		case "exit":
			os.Exit(0)
		case "flood":
			for i := range 100000 {
				j.Findings = append(j.Findings, mail.Finding{Rule: fmt.Sprint(i), Score: 1000, Detail: strings.Repeat("x", 50)})
			}
		case "babble":
			os.Stdout.WriteString(strings.Repeat("lies", 1<<20))
		case "txt":
			v, err := dns.LookupTXT(ctx, rest)
			j.From = fmt.Sprint(v, err)
		case "all":
			mx, err := dns.LookupMX(ctx, rest)
			j.From += fmt.Sprint(len(mx), mx[0].Host, mx[0].Pref, err)
			ip, err := dns.LookupIPAddr(ctx, rest)
			j.From += fmt.Sprint(ip, err)
			ptr, err := dns.LookupAddr(ctx, rest)
			j.From += fmt.Sprint(ptr, err)
		case "ask":
			for i := range 10 * maxQuestions {
				if _, err := dns.LookupTXT(ctx, fmt.Sprintf("%d.%s", i, rest)); err != nil {
					j.From = err.Error()
				}
			}
		case "escape":
			escape(rest, j)
		}
		return j
	}
}

func deep(n int) int { return n + deep(n+1)*2 }

type zone struct{}

func (zone) LookupTXT(ctx context.Context, name string) ([]string, error) {
	switch name {
	case "slow.example":
		<-ctx.Done()
		return nil, ctx.Err()
	case "missing.example":
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return []string{"txt of " + name}, nil
}
func (zone) LookupMX(context.Context, string) ([]*net.MX, error) {
	return []*net.MX{{Host: "mx.example.", Pref: 10}}, nil
}
func (zone) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) {
	return []net.IPAddr{{IP: net.ParseIP("192.0.2.1")}, {IP: net.ParseIP("2001:db8::1")}}, nil
}
func (zone) LookupAddr(context.Context, string) ([]string, error) {
	return []string{"ptr.example."}, nil
}

func newPool(t testing.TB, edit func(*Pool)) *Pool {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Pool{Exe: exe, Args: []string{"judge-worker"}, Size: 2, Budget: time.Minute, Resolver: zone{}}
	if edit != nil {
		edit(p)
	}
	t.Cleanup(p.Close)
	return p
}

func jobOf(octets string) Job {
	return Job{
		ID:       mail.NewID(),
		Envelope: mail.Envelope{Client: netip.MustParseAddr("192.0.2.9"), HELO: "mx.example", From: "a@example.com", To: []mail.Rcpt{{Addr: "b@contoso.example"}}},
		Via:      mail.ViaRelay,
		Size:     int64(len(octets)),
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(octets)), nil },
	}
}
