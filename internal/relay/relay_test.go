package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/internal/dns"
	"postern/internal/mail"
	"postern/internal/metric"
	"postern/internal/relay/admit"
	"postern/internal/relay/deliver"
	"postern/internal/relay/ingress"
	"postern/internal/relay/judge"
	"postern/internal/relay/mailauth"
	"postern/internal/relay/parse"
	"postern/internal/relay/scan"
	"postern/internal/seal"
	"postern/internal/spool"
	"postern/internal/store"
)

// mta is a next hop: the real SMTP server with an Accept that keeps what it gets.
type mta struct {
	addr  mail.MTA
	mu    sync.Mutex
	got   []received
	reply error // answered instead of taking the message
}

type received struct {
	env     mail.Envelope
	content string
}

func (m *mta) all() []received {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]received(nil), m.got...)
}

func (m *mta) say(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reply = err
}

func (m *mta) accept(_ context.Context, env *mail.Envelope, body io.Reader) (mail.ID, error) {
	content, err := io.ReadAll(body)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil || m.reply != nil {
		return "", errors.Join(err, m.reply)
	}
	m.got = append(m.got, received{*env, string(content)})
	return mail.NewID(), nil
}

func newMTA(t *testing.T) *mta {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mta{addr: mail.MTA{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: mail.TLSNone}}
	srv := &ingress.Server{Hostname: "mta.example", Accept: func(ctx context.Context, env *mail.Envelope, body io.Reader) (mail.ID, error) {
		id, err := m.accept(ctx, env, body)
		var reply *mail.Reply
		if errors.As(err, &reply) {
			return "", reply
		}
		return id, err
	}, Log: slog.New(slog.DiscardHandler)}
	go srv.Serve(context.Background(), l)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		srv.Shutdown(ctx)
	})
	return m
}

// rig is a relay with real parts on a folder of its own.
type rig struct {
	*Relay
	t    *testing.T
	key  string
	mta  *mta
	stop context.CancelFunc
}

func newRig(t *testing.T, folder string, change func(r *Relay)) *rig {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	root, err := seal.Open(filepath.Join(folder, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(ctx, store.Options{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := spool.Folder(filepath.Join(folder))
	if err != nil {
		t.Fatal(err)
	}
	zone, err := dns.NewZone("sender.example. TXT \"v=spf1 ip4:192.0.2.1 -all\"")
	if err != nil {
		t.Fatal(err)
	}
	resolver := dns.New(zone.Addr())
	directory := &Directory{Store: st, Root: root, Log: slog.New(slog.DiscardHandler)}
	checker := &mailauth.Checker{Resolver: resolver}
	r := &rig{t: t, stop: stop, Relay: &Relay{
		Hostname:  "relay.example",
		Gate:      &admit.Gate{Directory: directory, Headers: admit.HeadersFor("x-trustifi"), Marker: admit.Marker{Key: root.Derive("hop")}},
		Directory: directory,
		Store:     st,
		Spool:     sp,
		Judges: &judge.InProcess{Func: (&judge.Stages{
			Parse: func(octets []byte) *mail.Message { return parse.Parse(octets, parse.Limits{}) },
			Auth:  checker.Check,
			Scan:  &scan.Runner{Scanners: judge.Scanners()},
		}).Judge},
		JudgeTurn: &deliver.Queue{},
		Sender:    &deliver.Sender{Hostname: "relay.example", Resolver: resolver, AllowLoopback: true},
		SendTurn:  &deliver.Queue{},
		Guard:     &Guard{},
		Retry:     Retry{First: 50 * time.Millisecond, Lifetime: time.Hour, Judging: 50 * time.Millisecond, Retention: time.Hour},
		Life:      ctx,
		Log:       slog.New(slog.DiscardHandler),
		Metric:    metric.New(prometheus.NewRegistry()),
	}}
	if change != nil {
		change(r.Relay)
	}
	t.Cleanup(func() {
		stop()
		r.Sender.Close()
		st.Close()
		zone.Close()
	})
	return r
}

// tenant adds the tenant contoso with a domain, a key and an MTA.
func (r *rig) tenant(root *seal.Root, m *mta) {
	r.t.Helper()
	ctx := context.Background()
	wrapped, _, err := root.NewTenantKey()
	if err != nil {
		r.t.Fatal(err)
	}
	key, id := admit.NewKey()
	r.key, r.mta = key, m
	for _, err := range []error{
		r.Store.AddTenant(ctx, store.Tenant{Tenant: mail.Tenant{ID: "contoso", Name: "Contoso", Token: "tok3ntok3ntok3ntok3ntok3n"}, WrappedKey: wrapped}),
		r.Store.PutDomain(ctx, mail.Domain{Name: "contoso.example", Tenant: "contoso", Architecture: mail.ViaRelay, Enabled: true, MTAs: []mail.MTA{m.addr}}),
		r.Store.AddKey(ctx, mail.Key{ID: id, Tenant: "contoso", Hash: admit.HashKey(key), CreatedAt: time.Now()}),
		r.Directory.Load(ctx),
	} {
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

func ready(t *testing.T, change func(r *Relay)) *rig {
	t.Helper()
	folder := t.TempDir()
	r := newRig(t, folder, change)
	r.tenant(r.Directory.Root, newMTA(t))
	return r
}

func (r *rig) accept(head, body string, to ...string) mail.ID {
	r.t.Helper()
	env := &mail.Envelope{HELO: "mail.protection.outlook.com", From: "ben@sender.example", Received: time.Now().UTC()}
	for _, addr := range to {
		env.To = append(env.To, mail.Rcpt{Addr: addr})
	}
	msg := "x-trustifi-creds: " + r.key + "\r\nFrom: ben@sender.example\r\nTo: ann@contoso.example\r\nMessage-ID: <" + string(mail.NewID()) + "@sender.example>\r\n" + head + "\r\n" + body
	id, err := r.Accept(context.Background(), env, strings.NewReader(msg))
	if err != nil {
		r.t.Fatalf("accept: %v", err)
	}
	return id
}

// ended waits until every recipient of id is in a last state.
func (r *rig) ended(id mail.ID) []store.Recipient {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		m, err := r.Store.Message(context.Background(), "", id)
		if err != nil {
			r.t.Fatal(err)
		}
		done := true
		for _, to := range m.Recipients {
			done = done && to.State.Terminal()
		}
		if done {
			return m.Recipients
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("message %s did not end: %+v", id, m.Recipients)
		}
	}
}

// tried waits until a delivery of id was put off.
func (r *rig) tried(id mail.ID) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		m, err := r.Store.Message(context.Background(), "", id)
		if err != nil {
			r.t.Fatal(err)
		}
		if m.Recipients[0].Attempts > 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("message %s was not tried: %+v", id, m.Recipients)
		}
	}
}

const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

func TestAMessageComesBackMarkedAndOtherwiseUnchanged(t *testing.T) {
	r := ready(t, nil)
	body := "Hello Ann,\r\n.dots\r\n..more\r\nbye\r\n"
	to := r.ended(r.accept("Subject: hello\r\n", body, "ann@contoso.example"))
	if to[0].State != mail.Delivered || !strings.HasPrefix(to[0].Reply, "250") {
		t.Fatalf("ended as %+v", to[0])
	}
	got := r.mta.all()
	if len(got) != 1 {
		t.Fatalf("%d messages arrived", len(got))
	}
	head, rest, _ := strings.Cut(got[0].content, "\r\n\r\n")
	if rest != body {
		t.Errorf("body is %q", rest)
	}
	for _, want := range []string{"Received: from mail.protection.outlook.com", "x-trustifi-inbound-processed: yes tok3ntok3ntok3ntok3ntok3n", "x-trustifi-inbound-hop: v1; n=1;", "x-trustifi-inbound-verdict: clean", "for <ann@contoso.example>"} {
		if !strings.Contains(head, want) {
			t.Errorf("header lacks %q:\n%s", want, head)
		}
	}
	if strings.Contains(head, r.key) || strings.Contains(head, "x-trustifi-creds") {
		t.Errorf("the key left the relay:\n%s", head)
	}
}

func TestAHeldMessageIsReleasedOnce(t *testing.T) {
	r := ready(t, nil)
	body := "POSTERN" + "*TEST*PHISH*8RV2\r\n"
	id := r.accept("Subject: x\r\n", body, "ann@contoso.example")
	to := r.ended(id)
	if to[0].State != mail.Held || to[0].Verdict != mail.Phish || len(r.mta.all()) != 0 {
		t.Fatalf("ended as %+v with %d deliveries", to[0], len(r.mta.all()))
	}
	if kept, err := r.Content(context.Background(), "contoso", id); err != nil || !bytes.HasSuffix(kept, []byte(body)) {
		t.Errorf("held content: %q, %v", kept, err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	released := 0
	for range 100 {
		wg.Go(func() {
			out, err := r.Release(context.Background(), Order{Tenant: "contoso", ID: id, By: "test"})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && out.Kind == deliver.Delivered:
				released++
			case !errors.Is(err, store.ErrNotHeld):
				t.Errorf("release: %v, %+v", err, out)
			}
		})
	}
	wg.Wait()
	if got := r.mta.all(); released != 1 || len(got) != 1 || !strings.HasSuffix(got[0].content, "\r\n\r\n"+body) {
		t.Errorf("%d releases said yes, %d messages arrived", released, len(got))
	}
	to = r.ended(id)
	if to[0].State != mail.Delivered {
		t.Errorf("ended as %+v", to[0])
	}
	seen := map[store.Event]bool{}
	for _, e := range to[0].Events {
		if seen[e] {
			t.Errorf("the ledger says it twice: %+v", e)
		}
		seen[e] = true
	}
}

func TestNobodyReleasesAnotherTenantsMail(t *testing.T) {
	r := ready(t, nil)
	id := r.accept("Content-Type: application/octet-stream; name=x.com\r\n", eicar+"\r\n", "ann@contoso.example")
	r.ended(id)
	if out, err := r.Release(context.Background(), Order{Tenant: "fabrikam", ID: id, By: "test", Override: true}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("released: %+v, %v", out, err)
	}
	if to := r.ended(id); to[0].State != mail.Held || len(r.mta.all()) != 0 {
		t.Errorf("ended as %+v", to[0])
	}
}

func TestHeldMailIsKeptForAMonthUnlessSaidOtherwise(t *testing.T) {
	r := ready(t, func(r *Relay) { r.Retry = Retry{} })
	to := r.ended(r.accept("Content-Type: application/octet-stream; name=x.com\r\n", eicar+"\r\n", "ann@contoso.example"))
	if kept := to[0].ExpiresAt.Sub(to[0].HeldAt); to[0].State != mail.Held || kept < 29*24*time.Hour {
		t.Errorf("kept for %v", kept)
	}
}

func TestTheUseOfAKeyIsSeen(t *testing.T) {
	r := ready(t, nil)
	r.ended(r.accept("Subject: x\r\n", "text\r\n", "ann@contoso.example"))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		keys, err := r.Store.Keys(context.Background(), "contoso")
		if err == nil && len(keys) == 1 && !keys[0].SeenAt.IsZero() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("keys %+v, %v", keys, err)
		}
	}
}

func TestEveryRecipientEndsByItself(t *testing.T) {
	r := ready(t, nil)
	id := r.accept("Subject: two\r\n", "text\r\n", "ann@contoso.example", "bob@sub.contoso.example")
	to := r.ended(id)
	if to[0].State != mail.Delivered || to[1].State != mail.Held || !strings.Contains(to[1].Reasons[0], "not in one of its domains") {
		t.Errorf("ended as %+v", to)
	}
	if got := r.mta.all(); len(got) != 1 || len(got[0].env.To) != 1 || strings.Contains(got[0].content, "for <") {
		t.Errorf("arrived: %+v", got)
	}
}

func TestAFailingMTAIsTriedAgainAndARefusalIsHeld(t *testing.T) {
	r := ready(t, nil)
	go r.Run(r.Life)
	r.mta.say(&mail.Reply{Code: 451, Enhanced: "4.3.0", Text: "later"})
	id := r.accept("Subject: later\r\n", "text\r\n", "ann@contoso.example")
	r.tried(id)
	r.mta.say(nil)
	if to := r.ended(id); to[0].State != mail.Delivered || to[0].Attempts == 0 {
		t.Errorf("ended as %+v", to[0])
	}
	r.mta.say(&mail.Reply{Code: 550, Enhanced: "5.1.10", Text: "no such recipient"})
	id = r.accept("Subject: never\r\n", "text\r\n", "ann@contoso.example")
	if to := r.ended(id); to[0].State != mail.Held || !strings.Contains(to[0].Reasons[0], "5.1.10") {
		t.Errorf("ended as %+v", to[0])
	}
}

func TestUndeliverableMailIsHeldWithAnAlarmAndNobodyGetsABounce(t *testing.T) {
	r := ready(t, func(r *Relay) { r.Retry.Lifetime = time.Nanosecond })
	r.mta.say(&mail.Reply{Code: 451, Enhanced: "4.3.0", Text: "later"})
	to := r.ended(r.accept("Subject: x\r\n", "text\r\n", "ann@contoso.example"))
	alarms, err := r.Store.Alarms(context.Background(), "contoso")
	if to[0].State != mail.Held || err != nil || len(alarms) != 1 || alarms[0].Kind != "undelivered" {
		t.Errorf("ended as %+v, alarms %+v, %v", to[0], alarms, err)
	}
}

func TestALargeMessageGoesThroughTheSpoolAndLeavesIt(t *testing.T) {
	r := ready(t, func(r *Relay) { r.Judges = nil })
	line := strings.Repeat("0123456789", 7) + "\r\n"
	body := strings.Repeat(line, 20000)
	id := r.accept("Subject: large\r\n", body, "ann@contoso.example")
	if to := r.ended(id); to[0].State != mail.Delivered {
		t.Fatalf("ended as %+v", to[0])
	}
	if got := r.mta.all(); len(got) != 1 || !strings.HasSuffix(got[0].content, "\r\n\r\n"+body) {
		t.Error("the body changed")
	}
	left := 0
	if err := r.Spool.List(context.Background(), func(mail.ID, time.Time) error { left++; return nil }); err != nil || left != 0 {
		t.Errorf("%d objects are left in the spool, %v", left, err)
	}
}

func TestAResentMessageIsTakenOnce(t *testing.T) {
	r := ready(t, nil)
	env := func() *mail.Envelope {
		return &mail.Envelope{From: "ben@sender.example", To: []mail.Rcpt{{Addr: "ann@contoso.example"}}, Received: time.Now().UTC()}
	}
	msg := func(received, id, body string) io.Reader {
		return strings.NewReader("Received: " + received + "\r\nx-trustifi-creds: " + r.key + "\r\nFrom: ben@sender.example\r\nMessage-ID: <" + id + ">\r\n\r\n" + body)
	}
	first, err := r.Accept(context.Background(), env(), msg("one", "m1@s.example", "text\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	r.ended(first)
	for _, tt := range []struct {
		name     string
		id, text string
		same     bool
	}{
		{"the same with another Received field", "m1@s.example", "text\r\n", true},
		{"another body", "m1@s.example", "other\r\n", false},
		{"another Message-ID", "m2@s.example", "text\r\n", false},
	} {
		id, err := r.Accept(context.Background(), env(), msg("two", tt.id, tt.text))
		if err != nil || (id == first) != tt.same {
			t.Errorf("%s: %v, %v", tt.name, id == first, err)
		}
	}
	other := env()
	other.To[0].Addr = "bob@contoso.example"
	if id, err := r.Accept(context.Background(), other, msg("two", "m1@s.example", "text\r\n")); err != nil || id == first {
		t.Errorf("another recipient: %v, %v", id == first, err)
	}
}

// failing is a judge that cannot look.
type failing struct{ err error }

func (f failing) Judge(context.Context, judge.Job) (*mail.Judgement, error) { return nil, f.err }

func TestWhatCannotBeJudgedIsHeld(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		action mail.Action // the tenant's choice
		want   mail.State
	}{
		{"by default, after three tries", errors.New("workers are gone"), "", mail.Held},
		{"at once when it breaks the worker", fmt.Errorf("x: %w", judge.ErrPoison), "", mail.Held},
		{"delivered where the tenant chose so", errors.New("workers are gone"), mail.Deliver, mail.Delivered},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ready(t, func(r *Relay) { r.Judges = failing{tt.err} })
			if tt.action != "" {
				if err := r.Store.PutRules(context.Background(), "contoso", mail.Rules{Actions: map[mail.Verdict]mail.Action{mail.Unjudged: tt.action}}); err != nil {
					t.Fatal(err)
				}
				if err := r.Directory.Load(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			go r.Run(r.Life)
			to := r.ended(r.accept("Subject: x\r\n", "text\r\n", "ann@contoso.example"))
			if to[0].State != tt.want || to[0].Verdict != mail.Unjudged {
				t.Errorf("ended as %+v", to[0])
			}
		})
	}
}

func TestWhatAStopLeftIsTakenUp(t *testing.T) {
	folder := t.TempDir()
	m := newMTA(t)
	r := newRig(t, folder, func(r *Relay) { r.Judges = failing{errors.New("not now")}; r.Retry.Judging = time.Hour })
	r.tenant(r.Directory.Root, m)
	id := r.accept("Subject: x\r\n", "text\r\n", "ann@contoso.example")
	r.stop()
	time.Sleep(50 * time.Millisecond)
	r.Store.Close()

	again := newRig(t, folder, func(r *Relay) { r.Judges = nil })
	if err := again.Directory.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := again.Store.Retry(context.Background(), id, 0); err != nil && !errors.Is(err, store.ErrFenced) {
		t.Fatal(err)
	}
	go again.Run(again.Life)
	if to := again.ended(id); to[0].State != mail.Delivered || len(m.all()) != 1 {
		t.Errorf("ended as %+v with %d deliveries", to[0], len(m.all()))
	}
}

func TestAFullDiskRefusesBeforeAnythingIsTaken(t *testing.T) {
	r := ready(t, func(r *Relay) {
		r.Guard = &Guard{Free: func() (free, total uint64, err error) { return 1 << 20, 1 << 30, nil }}
	})
	_, err := r.Accept(context.Background(), &mail.Envelope{}, strings.NewReader(""))
	var reply *mail.Reply
	if !errors.As(err, &reply) || reply.Code != 452 {
		t.Errorf("got %v", err)
	}
}
