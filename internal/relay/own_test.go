package relay

import (
	"context"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	letters "postern/internal/relay/quarantine/digest"
	"postern/internal/store"
)

func letterTo(addr string) letters.Letter {
	return letters.Letter{ID: mail.NewID(), Tenant: "contoso", To: addr, From: "quarantine@contoso.example", Subject: "held", MessageID: "x@relay.example",
		Content: []byte("From: <quarantine@contoso.example>\r\nTo: <" + addr + ">\r\nMessage-ID: <x@relay.example>\r\n\r\nhello\r\n")}
}

func TestALetterOfOurOwnIsSentOnceWithOurStamp(t *testing.T) {
	r := ready(t, nil)
	l := letterTo("ann@contoso.example")
	for range 3 { // the same id again is the same letter
		if err := r.Post(context.Background(), l); err != nil {
			t.Fatal(err)
		}
	}
	if to := r.ended(l.ID); to[0].State != mail.Delivered {
		t.Fatalf("%+v", to[0])
	}
	got := r.mta.all()
	if len(got) != 1 {
		t.Fatalf("%d letters arrived", len(got))
	}
	if got[0].env.From != "" {
		t.Errorf("bounces would go to %q", got[0].env.From)
	}
	for _, want := range []string{"Received: by relay.example id ", "x-trustifi-inbound-processed: yes tok3ntok3ntok3ntok3ntok3n", "x-trustifi-inbound-hop: v1; n=1;", "\r\n\r\nhello\r\n"} {
		if !strings.Contains(got[0].content, want) {
			t.Errorf("it lacks %q:\n%s", want, got[0].content)
		}
	}
}

func TestALetterThatIsRefusedIsDroppedWithAnAlarmAndNeverHeld(t *testing.T) {
	r := ready(t, nil)
	r.mta.say(&mail.Reply{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox"})
	l := letterTo("nobody@contoso.example")
	if err := r.Post(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	if to := r.ended(l.ID); to[0].State != mail.Dropped {
		t.Errorf("%+v", to[0])
	}
	alarms, err := r.Store.Alarms(context.Background(), "contoso")
	if err != nil || len(alarms) != 1 || alarms[0].Kind != "own-mail" {
		t.Errorf("%+v %v", alarms, err)
	}
}

// A node that dies between the ledger and the MTA leaves a letter that the next
// start sends, and a release that was begun with a link likewise.
func TestLettersAndReleasesSurviveACrash(t *testing.T) {
	folder := t.TempDir()
	r := newRig(t, folder, nil)
	m := newMTA(t)
	r.tenant(r.Directory.Root, m)
	held := r.accept("Content-Type: application/octet-stream; name=x.com\r\n", eicar+"\r\n", "ann@contoso.example")
	if to := r.ended(held); to[0].State != mail.Held {
		t.Fatalf("%+v", to[0])
	}
	l := letterTo("ann@contoso.example")
	key, err := r.Directory.Seal("contoso")
	if err != nil {
		t.Fatal(err)
	}
	row := &store.Message{ID: l.ID, Tenant: "contoso", Envelope: mail.Envelope{Via: mail.Own, Pass: 1}, Received: time.Now(), Size: int64(len(l.Content)), Octets: key.Seal(l.ID, ContentPart, l.Content),
		Recipients: []store.Recipient{{Addr: l.To, Domain: "contoso.example"}}}
	if err := r.Store.Accept(context.Background(), row); err != nil { // and then it died
		t.Fatal(err)
	}
	ticket := []byte("link")
	if err := r.Store.ReleaseByTicket(context.Background(), "contoso", held, 0, "ann", ticket); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if err := r.Store.Close(); err != nil {
		t.Fatal(err)
	}
	again := newRig(t, folder, nil)
	again.key, again.mta = r.key, m
	if err := again.Directory.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go again.Run(ctx)
	for _, id := range []mail.ID{l.ID, held} {
		if to := again.ended(id); to[0].State != mail.Delivered {
			t.Errorf("%s: %+v", id, to[0])
		}
	}
	if got := m.all(); len(got) != 2 {
		t.Errorf("%d messages arrived, want 2", len(got))
	}
	if _, err := again.Release(context.Background(), Order{Tenant: "contoso", ID: held, By: "ann", Ticket: ticket}); err == nil {
		t.Error("the link released it again")
	}
}
