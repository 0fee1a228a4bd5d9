package arc

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"postern/internal/lineartest"
	"postern/internal/mail"
	"postern/internal/relay/mailauth/dkim"
)

type zone map[string]string

func (z zone) lookup(_ context.Context, name string) ([]string, error) {
	switch v := z[name]; v {
	case "":
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	case "TEMPERROR":
		return nil, &net.DNSError{Err: "timeout", IsTimeout: true}
	default:
		return []string{v}, nil
	}
}

const letter = "From: Alice <alice@sender.example>\r\nTo: bob@contoso.example\r\nSubject: hello\r\nMIME-Version: 1.0\r\n\r\nHello.\r\n"

var at = time.Unix(1767608100, 0)

func sealer(t testing.TB, z zone, domain string) *Sealer {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	z["s._domainkey."+domain] = "k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub)
	return &Sealer{Signer: dkim.Signer{Domain: domain, Selector: "s", Key: key}, LookupTXT: z.lookup}
}

func chained(t testing.TB, octets []byte, sealers ...*Sealer) []byte {
	t.Helper()
	for _, s := range sealers {
		set, err := s.Seal(context.Background(), octets, s.Signer.Domain+"; arc=none", "", at)
		if err != nil {
			t.Fatal(err)
		}
		octets = append(set, octets...)
	}
	return octets
}

func verify(z zone, octets []byte) mail.ARC {
	return (&Verifier{LookupTXT: z.lookup}).Verify(context.Background(), dkim.NewMessage(octets))
}

func TestChains(t *testing.T) {
	z := zone{}
	a, b := sealer(t, z, "a.example"), sealer(t, z, "b.example")
	two := chained(t, []byte(letter), a, b)
	// The first hop changed the body after it sealed: only the newest message
	// signature has to match (RFC 8617 §5.2).
	changed := chained(t, append(chained(t, []byte(letter), a), "-- \r\nlist footer\r\n"...), b)
	many := []byte(letter)
	for range maxSets {
		many = chained(t, many, a)
	}
	for _, c := range []struct {
		name   string
		octets []byte
		want   string
	}{
		{"no chain", []byte(letter), "none []"},
		{"two sealers", two, "pass [a.example b.example]"},
		{"fifty sets", many, "pass [" + strings.TrimSpace(strings.Repeat("a.example ", maxSets)) + "]"},
		{"body changed at the end", append(bytes.Clone(two), "x"...), "fail [a.example b.example]"},
		{"body changed between, sealed as failed by the second", changed, "fail [a.example b.example]"},
		{"bare line feeds", bytes.ReplaceAll(two, []byte("\r\n"), []byte("\n")), "pass [a.example b.example]"},
		{"results changed", bytes.Replace(two, []byte("a.example; arc=none"), []byte("a.example; arc=pass"), 1), "fail [a.example b.example]"},
		{"a set missing", bytes.Replace(two, []byte("ARC-Seal: a"), []byte("X-Seal: a"), 1), "fail []"},
		{"instance 0", []byte("ARC-Seal: i=0\r\n" + letter), "fail []"},
		{"instance 51", []byte("ARC-Seal: i=51; a=x\r\n" + letter), "fail []"},
		{"rubbish", []byte("ARC-Seal: ;;;\r\n" + letter), "fail []"},
		{"second From", append([]byte("From: ceo@bank.example\r\n"), two...), "fail [a.example b.example]"},
	} {
		got := verify(z, c.octets)
		if text := fmt.Sprintf("%s %v", got.Result, got.Sealers); text != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, text, got.Reason, c.want)
		}
	}
	z["s._domainkey.a.example"] = "TEMPERROR"
	if got := verify(z, two); got.Result != mail.ResultTempError {
		t.Errorf("DNS fails: %+v", got)
	}
}

// A body changed by the sealer itself: it says how the chain came in.
func TestSealAfterOwnChange(t *testing.T) {
	z := zone{}
	a, b := sealer(t, z, "a.example"), sealer(t, z, "b.example")
	octets := append(chained(t, []byte(letter), a), "banner\r\n"...)
	set, err := b.Seal(context.Background(), octets, "b.example; arc=pass", mail.ResultPass, at)
	if err != nil {
		t.Fatal(err)
	}
	if got := verify(z, append(set, octets...)); got.Result != mail.ResultPass || got.Oldest != 2 {
		t.Errorf("%+v", got)
	}
	unchanged := chained(t, []byte(letter), a, b)
	if got := verify(z, unchanged); got.Oldest != 0 {
		t.Errorf("%+v", got)
	}
}

func TestClosedChainsAreNotSealed(t *testing.T) {
	z := zone{}
	a := sealer(t, z, "a.example")
	broken := chained(t, append(chained(t, []byte(letter), a), "x"...), a)
	if got := verify(z, broken); got.Result != mail.ResultFail {
		t.Fatalf("%+v", got)
	}
	full := []byte(letter)
	for range maxSets {
		full = chained(t, full, a)
	}
	for name, octets := range map[string][]byte{"sealed as failed": broken, "fifty sets": full} {
		if _, err := a.Seal(context.Background(), octets, "a.example; none", "", at); !errors.Is(err, ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("timing")
	}
	z := zone{}
	a := sealer(t, z, "a.example")
	one := chained(t, []byte(letter), a)
	for _, c := range []struct {
		name string
		make func(n int) []byte
	}{
		{"seals of one instance", func(n int) []byte { return append(bytes.Repeat([]byte("X-ARC-Seal: i=1; a=b\r\n"), n), one...) }},
		{"one long field", func(n int) []byte {
			return append([]byte("ARC-Seal: i=2; n="+strings.Repeat(" x", 8*n)+"\r\n"), one...)
		}},
		{"long results", func(n int) []byte {
			return append([]byte("ARC-Authentication-Results: i=2"+strings.Repeat(";", 16*n)+"\r\n"), one...)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lineartest.Check(t, 1<<15, func(n int) func() {
				octets := c.make(n)
				return func() { verify(z, octets) }
			})
		})
	}
}

// BenchmarkFiftySets is the longest chain there may be.
func BenchmarkFiftySets(b *testing.B) {
	z := zone{}
	a := sealer(b, z, "a.example")
	octets := []byte(letter)
	for range maxSets {
		octets = chained(b, octets, a)
	}
	for b.Loop() {
		if verify(z, octets).Result != mail.ResultPass {
			b.Fatal("no pass")
		}
	}
}

func FuzzVerify(f *testing.F) {
	z := zone{}
	a := sealer(f, z, "a.example")
	f.Add(chained(f, []byte(letter), a, a))
	f.Add([]byte("ARC-Seal: i=1\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1; x\r\n\r\n"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		switch r := verify(z, octets); r.Result {
		case mail.ResultNone, mail.ResultPass:
		case mail.ResultFail, mail.ResultTempError:
			if r.Reason == "" {
				t.Fatal("no reason")
			}
		default:
			t.Fatal(r)
		}
		set, err := a.Seal(context.Background(), octets, "a.example; none", "", at)
		if err == nil && bytes.Count(set, []byte("ARC-")) < 3 {
			t.Fatalf("%q", set)
		}
	})
}
