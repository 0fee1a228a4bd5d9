package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/mail"
	"postern/internal/store"
)

// history is a ledger that random people and nodes work on.
type history struct {
	t      *testing.T
	rnd    *rand.Rand
	nodes  []*store.Store
	now    time.Time
	opened []*store.Message
}

var (
	historyTenants  = []string{"acme", "globex"}
	historyVerdicts = []mail.Verdict{mail.Clean, mail.Clean, mail.Bulk, mail.Spam, mail.Phish, mail.Malware, mail.Unjudged}
)

func (h *history) node() *store.Store { return h.nodes[h.rnd.IntN(len(h.nodes))] }

// accept takes a message of some moment of the last four days.
func (h *history) accept() {
	to := []string{"ann@example.com", "Bob@example.com", "eve@example.com"}[:1+h.rnd.IntN(3)]
	m := newMail(historyTenants[h.rnd.IntN(2)], 10, to...)
	m.Received = h.now.Add(-time.Duration(h.rnd.Int64N(int64(96 * time.Hour))))
	m.From = fmt.Sprintf("S%d@sender%d.example", h.rnd.IntN(9), h.rnd.IntN(4))
	accept(h.t, h.node(), m)
	h.opened = append(h.opened, m)
}

// change moves one copy on, if it may; that it may not is no matter.
func (h *history) change() {
	m := h.opened[h.rnd.IntN(len(h.opened))]
	n, s := h.rnd.IntN(len(m.Recipients)), h.node()
	at := m.Received.Add(time.Duration(h.rnd.Int64N(int64(90 * time.Second))))
	v := historyVerdicts[h.rnd.IntN(len(historyVerdicts))]
	c := store.Change{Message: m.ID, Tenant: m.Tenant, N: n, State: mail.Delivered,
		Decision: &mail.Decision{Verdict: v, Action: mail.Deliver},
		Events:   []store.Event{{At: at, State: mail.Judged, Text: string(v)}, {At: at.Add(time.Second), State: mail.Delivered, Text: "250"}}}
	if v == mail.Spam || v == mail.Phish {
		c.Judgement = &mail.Judgement{From: m.From, Findings: []mail.Finding{{Rule: "link.test", Score: 40}, {Rule: "link.test", Score: 4}, {Rule: "sender.good", Score: -4}}}
	}
	switch h.rnd.IntN(6) {
	case 0:
		_, _ = s.Advance(context.Background(), c)
	case 1, 2:
		c.State, c.Events[1].State = mail.Held, mail.Held
		c.HeldAt, c.ExpiresAt = at, h.now.Add(time.Duration(h.rnd.IntN(50)-10)*time.Hour)
		_, _ = s.Advance(context.Background(), c)
	case 3:
		if s.Release(context.Background(), m.ID, n, "ann") == nil && h.rnd.IntN(2) == 0 {
			c.Decision, c.Judgement, c.Events = nil, nil, c.Events[1:]
			_, _ = s.Advance(context.Background(), c)
		}
	case 4:
		_ = s.Delete(context.Background(), m.ID, n, "ann")
	case 5:
		_, _ = s.Expire(context.Background(), h.now)
	}
}

// roll counts what is stale; crash makes it end at any point.
func roll(t *testing.T, s *store.Store, crash *rand.Rand) {
	t.Helper()
	for range 20 {
		stale, err := s.Stale(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if len(stale) == 0 {
			return
		}
		for _, b := range stale {
			ctx, cancel := context.WithCancel(context.Background())
			if crash != nil && crash.IntN(3) == 0 {
				time.AfterFunc(time.Duration(crash.IntN(800))*time.Microsecond, cancel)
			}
			err := s.Count(ctx, b)
			dead := ctx.Err() != nil
			cancel()
			if err != nil && !dead {
				t.Fatal(err)
			}
		}
		if crash != nil {
			return
		}
	}
	t.Fatal("what is stale never ends")
}

func TestRollupsEqualTheLedgerWhateverHappens(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		for seed := range uint64(3) {
			h := &history{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), now: time.Now().UTC()}
			node := d
			if d.name == "sqlite" {
				node.o.Folder = t.TempDir()
			}
			h.nodes = []*store.Store{node.open(t), node.open(t, func(o *store.Options) { o.Node = "two" })}
			for range 20 {
				h.accept()
			}
			var rollers sync.WaitGroup
			ended := make(chan struct{})
			for i, s := range h.nodes { // two rollers that die all the time, while mail goes on
				rollers.Go(func() {
					crash := rand.New(rand.NewPCG(seed, uint64(i)))
					for {
						select {
						case <-ended:
							return
						default:
							roll(t, s, crash)
						}
					}
				})
			}
			for range 250 {
				if h.rnd.IntN(4) == 0 {
					h.accept()
				}
				h.change()
			}
			close(ended)
			rollers.Wait()
			roll(t, h.nodes[1], nil)
			for _, tenant := range historyTenants {
				sameCounts(t, h.nodes[0], tenant, h.now)
			}
			for _, s := range h.nodes {
				s.Close()
			}
		}
	})
}

// sameCounts compares the rollups with the ledger, counted one by one.
func sameCounts(t *testing.T, s *store.Store, tenant string, now time.Time) {
	t.Helper()
	since := now.Add(-10 * 24 * time.Hour).Truncate(24 * time.Hour)
	live, err := s.Volumes(t.Context(), tenant, since, time.Hour)
	must(t, err)
	counted, err := s.Counted(t.Context(), tenant, since, time.Time{}, time.Hour)
	must(t, err)
	order := func(a, b store.Volume) int {
		return strings.Compare(fmt.Sprint(a.At.Unix(), a.Verdict, a.State), fmt.Sprint(b.At.Unix(), b.Verdict, b.State))
	}
	slices.SortFunc(live, order)
	slices.SortFunc(counted, order)
	if len(live) < 20 {
		t.Fatalf("only %d volumes: the history is too short to tell", len(live))
	}
	if diff := cmp.Diff(live, counted); diff != "" {
		t.Errorf("hours of %s: -ledger +rollup\n%s", tenant, diff)
	}
	rows, err := s.Trace(t.Context(), store.TraceFilter{Tenant: tenant, Limit: 100_000})
	must(t, err)
	days, err := s.Days(t.Context(), tenant, since, now.Add(24*time.Hour))
	must(t, err)
	got, want := tally{}, tally{}
	for _, day := range days {
		at := day.At.Format("01-02 ")
		for _, list := range [][]store.Named{day.Names.People, day.Names.Senders, day.Names.Domains} {
			for _, n := range list {
				got.add(at+n.Name, n.N)
				got.add(at+n.Name+" bad", n.Bad)
			}
		}
		for v, f := range day.Figures.Held {
			got.add(at+"held "+string(v), f.Held)
			got.add(at+"released "+string(v), f.Released)
			got.add(at+"deleted "+string(v), f.Deleted)
			got.add(at+"expired "+string(v), f.Expired)
		}
		got.add(at+"judged", day.Figures.Judging.N())
		got.add(at+"passed", day.Figures.Passing.N())
		got.add(at+"rules", day.Figures.Rules["link.test"])
	}
	for _, r := range rows {
		want.row(t, s, r)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("days of %s: -ledger +rollup\n%s", tenant, diff)
	}
}

// tally counts by name what is not nothing.
type tally map[string]int

func (c tally) add(name string, n int) {
	if n != 0 {
		c[name] += n
	}
}

// row counts one copy as a person would who reads its trace.
func (c tally) row(t *testing.T, s *store.Store, r store.TraceRow) {
	at, v := r.Received.Format("01-02 "), string(r.Verdict)
	from := strings.ToLower(r.From)
	_, domain, _ := strings.Cut(from, "@")
	spoken := slices.Contains([]mail.Verdict{mail.Spam, mail.Suspicious, mail.Phish, mail.Malware}, r.Verdict)
	for _, name := range []string{strings.ToLower(r.Addr), from, domain} {
		if r.Verdict != "" {
			c.add(at+name, 1)
		}
		if spoken {
			c.add(at+name+" bad", 1)
		}
	}
	text := ""
	for _, e := range r.Events {
		text += string(e.State) + " " + e.Text + "\n"
	}
	has := func(part string) int { return min(1, strings.Count(text, part)) }
	c.add(at+"held "+v, has("held "))
	c.add(at+"released "+v, has("released by"))
	c.add(at+"deleted "+v, has("deleted by"))
	c.add(at+"expired "+v, has("its time in quarantine is over"))
	c.add(at+"judged", has("judged "))
	if has("held ") == 0 {
		c.add(at+"passed", has("delivered "))
	}
	if j, err := s.Judgement(t.Context(), r.ID); err == nil && len(j.Findings) > 0 && spoken {
		c.add(at+"rules", 1)
	}
}

func TestCountsOutliveTheTraceButNamesDoNot(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		now := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour) // in its last two hours a day of ten days ago is gone already
		s := d.open(t, func(o *store.Options) {
			o.KeepTrace = 10 * 24 * time.Hour
			o.Now = func() time.Time { return now }
		})
		m := newMail("acme", 10)
		m.Received = now.Add(-9 * 24 * time.Hour)
		accept(t, s, m)
		advance(t, s, delivered(m, 0))
		roll(t, s, nil)
		day := func() store.DayCount {
			t.Helper()
			days, err := s.Days(t.Context(), "acme", now.AddDate(0, 0, -400), now)
			must(t, err)
			if len(days) != 1 || days[0].Figures.Passing.N() != 1 {
				t.Fatalf("%+v", days)
			}
			return days[0]
		}
		if people := day().Names.People; len(people) != 1 || people[0].Name != "ann@example.com" {
			t.Errorf("%+v", people)
		}
		since := now.AddDate(0, 0, -30)
		now = now.Add(3 * 24 * time.Hour)
		_, err := s.Expire(t.Context(), now)
		must(t, err)
		if rows, err := s.Trace(t.Context(), store.TraceFilter{Tenant: "acme"}); err != nil || len(rows) != 0 {
			t.Fatalf("the trace still has %d rows, %v", len(rows), err)
		}
		must(t, tryChange(d, fmt.Sprintf("INSERT INTO rollup_stale (tenant, span, at, epoch, stamp) VALUES ('acme', 'hour', %d, 9, 9)", m.Received.Truncate(time.Hour).UnixMilli())))
		roll(t, s, nil)
		if n := day().Names; len(n.People)+len(n.Senders)+len(n.Domains) > 0 {
			t.Errorf("names stay: %+v", n)
		}
		if v, err := s.Counted(t.Context(), "acme", since, time.Time{}, 24*time.Hour); err != nil || len(v) != 1 || v[0].N != 1 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestQuantilesAreRightToAFewPercent(t *testing.T) {
	d := sqliteDatabase(t)
	s := d.open(t)
	at := time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour)
	for i := range 200 {
		m := newMail("acme", 10)
		m.Received = at.Add(time.Hour)
		accept(t, s, m)
		c := delivered(m, 0)
		c.Events = []store.Event{{At: m.Received.Add(time.Duration(i+1) * 100 * time.Millisecond), State: mail.Judged}, {At: m.Received.Add(time.Minute), State: mail.Delivered}}
		advance(t, s, c)
	}
	roll(t, s, nil)
	days, err := s.Days(t.Context(), "acme", at, at.Add(time.Hour))
	must(t, err)
	for q, want := range map[float64]time.Duration{0.5: 10 * time.Second, 0.95: 19 * time.Second, 0.99: 19800 * time.Millisecond} {
		got := days[0].Figures.Judging.Quantile(q)
		if off := float64(got-want) / float64(want); off < -0.03 || off > 0.03 {
			t.Errorf("p%v is %v, want %v", 100*q, got, want)
		}
	}
	var none store.Spread
	if none.Quantile(0.5) != 0 {
		t.Error("no durations have a median")
	}
}

func TestLettersOfOurOwnAreNoMailInReports(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		now := time.Now().UTC()
		accept(t, s, newMail("acme", 10, "ann@example.com"))
		digest := newMail("acme", 10, "bob@example.com")
		digest.Envelope.Via, digest.Envelope.From = mail.Own, ""
		accept(t, s, digest)
		liar := newMail("acme", 10, "eve@example.com")
		liar.Envelope.Via, liar.Envelope.HELO = mail.ViaRelay, `","Via":"own`
		accept(t, s, liar)
		roll(t, s, nil)
		since := now.Add(-48 * time.Hour).Truncate(24 * time.Hour)
		days, err := s.Days(t.Context(), "acme", since, now.Add(24*time.Hour))
		must(t, err)
		for _, day := range days {
			for _, p := range day.Names.People {
				if p.Name == "bob@example.com" {
					t.Errorf("a digest is counted as mail of %s", p.Name)
				}
			}
		}
		for name, count := range map[string]func() ([]store.Volume, error){
			"counted": func() ([]store.Volume, error) { return s.Counted(t.Context(), "acme", since, time.Time{}, time.Hour) },
			"live":    func() ([]store.Volume, error) { return s.Volumes(t.Context(), "acme", since, time.Hour) },
		} {
			all, err := count()
			must(t, err)
			n := 0
			for _, v := range all {
				n += v.N
			}
			if n != 2 {
				t.Errorf("%s: %d copies of 2 that came from outside: %+v", name, n, all)
			}
		}
	})
}
