package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"postern/internal/mail"
	"postern/internal/replay"
	"postern/internal/store"
)

// TestTenThousandHeldMessagesAreReleasedInTenMinutes holds so much mail in a real
// relay, then lets today's rules release it all: each message is judged again by the
// worker processes and taken by the Exchange twin. POSTERN_MASS says how many.
func TestTenThousandHeldMessagesAreReleasedInTenMinutes(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("POSTERN_MASS"))
	if n == 0 {
		t.Skip("set POSTERN_MASS to 10000 to measure it")
	}
	w, err := newDemoWorld(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	a, ctx := w.opened.admin(), t.Context()
	key, err := a.RotateKey(ctx, "contoso")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.server.relay.Directory.Load(ctx); err != nil {
		t.Fatal(err)
	}
	var work errgroup.Group
	work.SetLimit(8)
	for i := range n {
		work.Go(func() error {
			env := &mail.Envelope{HELO: "mail.protection.outlook.com", From: "ben@sender.example", Received: time.Now().UTC(), Client: netip.MustParseAddr("127.0.0.1"), TLS: mail.TLS{Version: "TLSv1.3"}, To: []mail.Rcpt{{Addr: "ann@" + demoDomain}}}
			text := fmt.Sprintf("x-trustifi-creds: %s\r\nFrom: ben@sender.example\r\nTo: ann@%s\r\nSubject: number %d\r\nMessage-ID: <%d@sender.example>\r\n\r\n%s\r\n%s", key.Key, demoDomain, i, i, "POSTERN"+"*TEST*SPAM*8RV2", strings.Repeat("some text of a letter\r\n", 300))
			for {
				_, err := w.server.relay.Accept(context.Background(), env, strings.NewReader(text))
				if err == nil {
					return nil
				}
				time.Sleep(100 * time.Millisecond) // busy: as Exchange does, again
			}
		})
	}
	_ = work.Wait() // they return no error
	held := func() (n int) {
		if err := w.opened.store.HeldJudged(ctx, "contoso", func(store.Judged) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for held() < n {
		time.Sleep(time.Second)
	}
	if _, err := a.SetChoices(ctx, "contoso", mail.Scope{Kind: mail.ScopeTenant}, mail.Choices{Actions: map[mail.Verdict]mail.Action{mail.Spam: mail.Deliver}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // until it counts
	again := &replay.Again{Store: w.opened.store, Note: a.NoteRelease, Release: w.server.releaseAgain}
	began := time.Now()
	if tally, err := again.Look(ctx, "contoso", func(replay.Tally) {}); err != nil || tally.Clean != n {
		t.Fatal(tally, err)
	}
	looked := time.Since(began)
	began = time.Now()
	tally, err := again.Run(ctx, "contoso", "ann", func(replay.Tally) {})
	took := time.Since(began)
	t.Logf("%d held messages: counted in %v, released in %v: %+v %v", n, looked, took, tally, err)
	if tally.Delivered != n || took > 10*time.Minute*time.Duration(n)/10_000 {
		t.Errorf("delivered %d of %d in %v", tally.Delivered, n, took)
	}
}
