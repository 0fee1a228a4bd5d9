package store_test

import (
	"context"
	"crypto/rand"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// newMail is a message as the relay hands it over: one recipient unless more are
// named, content of size octets.
func newMail(tenant string, size int, to ...string) *store.Message {
	if len(to) == 0 {
		to = []string{"ann@example.com"}
	}
	body := make([]byte, size)
	m := &store.Message{
		ID: mail.NewID(), Tenant: tenant, Received: time.Now(), Size: int64(size), Octets: body,
		Envelope: mail.Envelope{
			Client: netip.MustParseAddr("40.107.22.52"), HELO: "eur05-db8-obe.outbound.protection.outlook.com",
			TLS: mail.TLS{Version: "TLSv1.3", Cipher: "TLS_AES_256_GCM_SHA384"}, From: "bob@sender.example", Body: "8BITMIME",
		},
		Subject: "Re: the minutes of Tuesday's meeting", From: "bob@sender.example",
		MessageID: string(mail.NewID()) + "@mail.sender.example",
	}
	rand.Read(m.Digest[:])
	for _, a := range to {
		m.Recipients = append(m.Recipients, store.Recipient{Addr: a, Domain: mail.DomainOf(a), State: mail.Accepted})
	}
	return m
}

var judgement = &mail.Judgement{
	Subject: "Re: the minutes of Tuesday's meeting", From: "bob@sender.example",
	Findings: []mail.Finding{{Rule: "auth.dmarc.pass", Score: -5, Detail: "DMARC passes for sender.example"}, {Rule: "bayes.ham", Score: -10, Detail: "reads like wanted mail"}},
	Auth: mail.Auth{Origin: mail.Origin{IP: netip.MustParseAddr("198.51.100.7"), HELO: "mail.sender.example", Source: "received-spf"},
		SPF: mail.SPF{Result: mail.ResultPass, Domain: "sender.example"}, DMARC: mail.DMARC{Result: mail.ResultPass, Domain: "sender.example"}},
	Parts: []mail.PartInfo{{Path: "1", Type: "text/plain", Size: 800, SHA256: "00"}, {Path: "2", Type: "text/html", Size: 4000, SHA256: "00"}},
}

func delivered(m *store.Message, n int) store.Change {
	return store.Change{
		Message: m.ID, Tenant: m.Tenant, N: n, State: mail.Delivered, Attempts: 1, MTA: "mx.example.com:25", Reply: "250 2.6.0 <x@y> Queued mail for delivery",
		Decision: &mail.Decision{Verdict: mail.Clean, Action: mail.Deliver, Score: 3, Reasons: []string{"DMARC passes for sender.example"}},
		Events:   []store.Event{{At: time.Now(), State: mail.Judged, Text: "clean, 3 points"}, {At: time.Now(), State: mail.Delivered, Text: "mx.example.com:25 250 2.6.0 Queued"}},
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMessage is one message's life at 64 writers: Accept with 8 KiB of
// octets, then Advance to delivered. "judged" keeps a judgement too. The CPU is
// this process's, making the message included; PostgreSQL's own comes on top, and
// its figures need POSTERN_PG_FSYNC=on.
func BenchmarkMessage(b *testing.B) {
	for name, j := range map[string]*mail.Judgement{"relay": nil, "judged": judgement} {
		b.Run("sqlite/"+name, func(b *testing.B) { benchmarkMessage(b, sqliteDatabase(b).o, j, 64) })
		b.Run("postgres/"+name, func(b *testing.B) { benchmarkMessage(b, postgresDatabase(b).o, j, 64) })
	}
}

func benchmarkMessage(b *testing.B, o store.Options, j *mail.Judgement, writers int) {
	ctx := context.Background()
	s, err := store.Open(ctx, o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	todo := make(chan struct{}, b.N)
	for range b.N {
		todo <- struct{}{}
	}
	close(todo)
	b.ResetTimer()
	start, used := time.Now(), cpu()
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range todo {
				m := newMail("acme", 8<<10)
				if err := s.Accept(ctx, m); err != nil {
					b.Error(err)
					return
				}
				c := delivered(m, 0)
				c.Judgement = j
				if _, err := s.Advance(ctx, c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "msg/s")
	b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N), "cpu-µs/msg")
}
