package relay

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
)

func TestATenantsLimitPutsMailOffAndEndsByItself(t *testing.T) {
	clock := time.Now()
	var alarms []string
	held := int64(0)
	a := &Allowance{
		Held: func(context.Context, string) (int64, error) { return held, nil },
		Alarm: func(_ context.Context, tenant string, text mail.Sentence) {
			alarms = append(alarms, tenant+": "+text.String())
		},
		Now: func() time.Time { return clock },
	}
	acme := mail.Tenant{ID: "acme", Limits: mail.Limits{Messages: 60, Recipients: 100, HeldOctets: 1000}}
	take := func(t2 mail.Tenant, n int) error { return a.Take(t.Context(), t2, n) }
	for i := range 60 {
		if err := take(acme, 1); err != nil {
			t.Fatalf("message %d: %v", i+1, err)
		}
	}
	var reply *mail.Reply
	if err := take(acme, 1); !errors.As(err, &reply) || reply.Code != 452 {
		t.Fatalf("one more: %v", err)
	}
	if err := take(mail.Tenant{ID: "beta", Limits: acme.Limits}, 1); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	if err := take(mail.Tenant{ID: "free"}, 1000); err != nil {
		t.Errorf("a tenant without limits: %v", err)
	}
	clock = clock.Add(61 * time.Second) // one of sixty an hour
	if err := take(acme, 1); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if err := take(acme, 1); err == nil {
		t.Error("two a minute later")
	}
	clock = clock.Add(time.Hour)
	if err := take(acme, 500); err != nil { // never refused for good
		t.Errorf("a message to more than an hour's recipients: %v", err)
	}
	if err := take(acme, 1); !errors.As(err, &reply) || reply.Code != 452 {
		t.Errorf("right after it: %v", err)
	}
	clock, held = clock.Add(6*time.Hour), 1000
	if err := take(acme, 1); !errors.As(err, &reply) || reply.Enhanced != "4.3.1" {
		t.Errorf("with a full quarantine: %v", err)
	}
	clock, held = clock.Add(time.Minute), 0
	if err := take(acme, 1); err != nil {
		t.Errorf("when it is emptied: %v", err)
	}
	if len(alarms) != 3 || !strings.HasPrefix(alarms[0], "acme: A limit of this tenant is reached: more than 60 messages an hour") {
		t.Errorf("%d alarms: %q", len(alarms), alarms)
	}
}

func TestARelayKeepsToATenantsLimitAndLosesNothing(t *testing.T) {
	r := ready(t, func(r *Relay) { r.Allowance = &Allowance{Held: r.Store.HeldOctets} })
	if err := r.Store.SetTenant(t.Context(), mail.Tenant{ID: "contoso", Name: "Contoso", Limits: mail.Limits{Messages: 2}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Directory.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if to := r.ended(r.accept("Subject: hello\r\n", "x\r\n", "ann@contoso.example")); to[0].State != mail.Delivered {
			t.Fatalf("ended as %+v", to[0])
		}
	}
	env := &mail.Envelope{HELO: "mail.protection.outlook.com", From: "ben@sender.example", To: []mail.Rcpt{{Addr: "ann@contoso.example"}}, Received: time.Now()}
	_, err := r.Accept(t.Context(), env, strings.NewReader("x-trustifi-creds: "+r.key+"\r\nFrom: ben@sender.example\r\n\r\nx\r\n"))
	var reply *mail.Reply
	if !errors.As(err, &reply) || reply.Code != 452 {
		t.Errorf("the third: %v", err)
	}
}
