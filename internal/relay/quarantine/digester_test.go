package quarantine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/quarantine/digest"
	"postern/internal/store"
)

// post is a ledger that takes each letter's id once, as the relay does.
type post struct {
	mu    sync.Mutex
	taken map[mail.ID]digest.Letter
	fail  error
}

func (p *post) take(_ context.Context, l digest.Letter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	if p.taken == nil {
		p.taken = map[mail.ID]digest.Letter{}
	}
	p.taken[l.ID] = l
	return nil
}

func (p *post) to(addr string) (n int) {
	for _, l := range p.taken {
		if l.To == addr {
			n++
		}
	}
	return n
}

// desk is a store with a tenant and a clock that tests move.
type desk struct {
	t     *testing.T
	dir   string
	clock atomic.Pointer[time.Time]
	*store.Store
	post
	alarms []string
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir()}
	d.at("2026-11-02 07:00")
	d.Store = d.open("one")
	for _, err := range []error{
		d.AddTenant(t.Context(), store.Tenant{Tenant: mail.Tenant{ID: "acme", Name: "Acme"}}),
		d.PutDomain(t.Context(), mail.Domain{Name: "acme.example", Tenant: "acme", Enabled: true}),
		d.PutRecipients(t.Context(), "acme", mail.Recipients{Digest: mail.Schedule{Every: mail.Daily, Hours: []int{8}}, Since: *d.clock.Load()}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *desk) open(node string) *store.Store {
	st, err := store.Open(d.t.Context(), store.Options{Folder: d.dir, Node: node, Now: d.now})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { st.Close() })
	return st
}

func (d *desk) now() time.Time { return *d.clock.Load() }

func (d *desk) at(when string) {
	t, err := time.Parse("2006-01-02 15:04", when)
	if err != nil {
		d.t.Fatal(err)
	}
	d.clock.Store(&t)
}

func (d *desk) hold(to string, v mail.Verdict) mail.ID {
	d.t.Helper()
	m := &store.Message{ID: mail.NewID(), Tenant: "acme", Octets: []byte("x"), Subject: "offer", From: "ben@sender.example", Received: d.now(),
		Recipients: []store.Recipient{{Addr: to, Domain: mail.DomainOf(to)}}}
	if err := d.Accept(d.t.Context(), m); err != nil {
		d.t.Fatal(err)
	}
	c := store.Change{Message: m.ID, Tenant: "acme", State: mail.Held, Decision: &mail.Decision{Verdict: v, Action: mail.Hold}, HeldAt: d.now(), ExpiresAt: d.now().AddDate(0, 0, 30)}
	if _, err := d.Advance(d.t.Context(), c); err != nil {
		d.t.Fatal(err)
	}
	return m.ID
}

func (d *desk) digester(st *store.Store) *Digester {
	return &Digester{Store: st, Post: d.take, Now: d.now, Log: slog.New(slog.DiscardHandler),
		Alarm:    func(kind, _ string, _ mail.Sentence) { d.alarms = append(d.alarms, kind) },
		Composer: &digest.Composer{Hostname: "relay.example", URL: "https://held.example", Signer: digest.Signer{Keys: []digest.Key{digest.NewKey([32]byte{7})}}}}
}

func (d *desk) round(when string) {
	d.t.Helper()
	d.at(when)
	if err := d.digester(d.Store).Round(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) want(addr string, n int) {
	d.t.Helper()
	if got := d.to(addr); got != n {
		d.t.Errorf("%s: %s got %d digests, want %d", d.now().Format("2 Jan 15:04"), addr, got, n)
	}
}

const ann = "ann@acme.example"

func TestOneDigestForEachMomentAndOnlyOfNewMail(t *testing.T) {
	d := newDesk(t)
	d.hold("Ann@acme.example", mail.Spam)
	d.round("2026-11-02 08:00")
	d.want(ann, 0)
	d.hold(ann, mail.Spam) // after the moment: tomorrow
	d.round("2026-11-02 08:01")
	d.want(ann, 1)
	d.round("2026-11-02 23:00")
	d.want(ann, 1)
	d.round("2026-11-03 08:01")
	d.want(ann, 2)
	d.round("2026-11-04 09:00") // nothing new
	d.want(ann, 2)
}

func TestAWeekOfSilenceIsOneDigest(t *testing.T) {
	d := newDesk(t)
	for day := 2; day < 9; day++ {
		d.at(fmt.Sprintf("2026-11-%02d 07:30", day))
		d.hold(ann, mail.Spam)
	}
	d.round("2026-11-09 13:07")
	d.round("2026-11-09 13:08")
	d.want(ann, 1)
}

func TestAScheduleDoesNotBeginBeforeItWasChosen(t *testing.T) {
	d := newDesk(t)
	d.hold(ann, mail.Spam)
	d.at("2026-11-02 12:00")
	if err := d.PutRecipients(t.Context(), "acme", mail.Recipients{Digest: mail.Schedule{Every: mail.Daily, Hours: []int{9}}, Since: d.now()}); err != nil {
		t.Fatal(err)
	}
	d.round("2026-11-02 12:01")
	d.want(ann, 0)
	d.round("2026-11-03 09:01")
	d.want(ann, 1)
}

func TestWhoGetsADigestAndWhoDoesNot(t *testing.T) {
	d := newDesk(t)
	d.hold(ann, mail.Spam)
	d.hold("ann+x@acme.example", mail.Bulk) // an alias has its own
	d.hold("eve@acme.example", mail.Malware)
	d.hold("tom@acme.example", mail.Spam)
	d.hold("tim@acme.example", mail.Spam)
	d.hold("jo@other.example", mail.Spam) // in no domain of the tenant
	released := d.hold("sue@acme.example", mail.Spam)
	if err := d.Release(t.Context(), released, 0, "test"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []store.Person{
		{Tenant: "acme", Addr: "tom@acme.example", PersonSettings: store.PersonSettings{Digest: &mail.Schedule{Every: mail.Never}}},
		{Tenant: "acme", Addr: "tim@acme.example", PersonSettings: store.PersonSettings{Digest: &mail.Schedule{Every: mail.Often, Hours: []int{7, 10}}, Zone: "Asia/Tokyo", Lang: "de"}},
	} {
		if err := d.PutPerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	d.round("2026-11-02 08:01")
	for addr, n := range map[string]int{ann: 1, "ann+x@acme.example": 1, "eve@acme.example": 0, "tom@acme.example": 0, "tim@acme.example": 0, "jo@other.example": 0, "sue@acme.example": 0} {
		d.want(addr, n)
	}
	d.round("2026-11-02 22:05") // 07:05 in Tokyo
	d.want("tim@acme.example", 1)
}

func TestManyNodesSendOneDigest(t *testing.T) {
	d := newDesk(t)
	for i := range 20 {
		d.hold(fmt.Sprintf("p%d@acme.example", i), mail.Spam)
	}
	other := d.open("two")
	d.at("2026-11-02 08:01")
	var group sync.WaitGroup
	for _, st := range []*store.Store{d.Store, other, d.Store, other} {
		group.Go(func() {
			if err := d.digester(st).Round(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(d.taken) != 20 {
		t.Errorf("%d digests for 20 people", len(d.taken))
	}
	for i := range 20 {
		d.want(fmt.Sprintf("p%d@acme.example", i), 1)
	}
}

func TestADigestThatWasPlannedAndNotMadeIsMadeOnceLater(t *testing.T) {
	d := newDesk(t)
	d.hold(ann, mail.Spam)
	d.at("2026-11-02 08:01")
	d.fail = errors.New("the node dies here")
	if err := d.digester(d.Store).Round(t.Context()); err == nil {
		t.Fatal("the failure is not told")
	}
	d.fail = nil
	d.round("2026-11-02 08:02") // the first still has its lease
	d.want(ann, 0)
	d.round("2026-11-02 08:07")
	d.round("2026-11-02 08:08")
	d.want(ann, 1)
	if len(d.alarms) > 0 {
		t.Errorf("alarms: %v", d.alarms)
	}
}

func TestADigestThatCannotBeWrittenIsGivenUpWithAnAlarm(t *testing.T) {
	d := newDesk(t)
	d.hold(ann, mail.Spam)
	d.fail = errors.New("never")
	tries := 0
	for at := time.Date(2026, 11, 2, 8, 1, 0, 0, time.UTC); at.Day() == 2; at = at.Add(6 * time.Minute) {
		d.clock.Store(&at)
		if d.digester(d.Store).Round(t.Context()) != nil {
			tries++
		}
	}
	if tries != store.DigestTries || len(d.alarms) != 1 || d.alarms[0] != "digest-failed" {
		t.Errorf("%d tries, alarms %v", tries, d.alarms)
	}
}
