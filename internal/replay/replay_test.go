package replay

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

var (
	ctx     = context.Background()
	classes = []mail.Verdict{"", mail.Bulk, mail.Spam, mail.Suspicious, mail.Phish, mail.Malware, mail.Unjudged}
	start   = time.Now().UTC().Truncate(time.Second)
)

// filled is a store with n messages of the tenant acme over the last 12 days, a
// fifth of them to two recipients, as rules decided them.
func filled(t testing.TB, n int, rules mail.Rules) *store.Store {
	t.Helper()
	s, err := store.Open(ctx, store.Options{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, id := range []string{"acme", "beta"} {
		if err := s.AddTenant(ctx, store.Tenant{Tenant: mail.Tenant{ID: id, Name: id, Token: "t"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutRules(ctx, "acme", rules); err != nil {
		t.Fatal(err)
	}
	for _, e := range rules.Lists {
		if err := s.AddEntry(ctx, "acme", e); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for len := 0; len < n; len += 500 {
		var list []store.Filled
		for i := len; i < min(n, len+500); i++ {
			list = append(list, message(r, i, n, rules))
		}
		if err := s.Fill(ctx, list); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func message(r *rand.Rand, i, n int, rules mail.Rules) store.Filled {
	at := start.Add(-time.Duration(i+1) * 12 * 24 * time.Hour / time.Duration(n))
	j := &mail.Judgement{From: fmt.Sprintf("x@s%d.example", r.IntN(5)), Auth: mail.Auth{DMARC: mail.DMARC{Result: mail.ResultPass}}}
	for range r.IntN(4) {
		j.Findings = append(j.Findings, mail.Finding{Rule: "test.rule", Class: classes[r.IntN(7)], Score: r.IntN(120) - 30, Detail: "x"})
	}
	if i%50 == 0 {
		j.Findings = append(j.Findings, mail.Finding{Rule: protectedName, Class: mail.Phish, Score: 60, Detail: "The name shown is that of Clara Boss."})
	}
	id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy())
	m := &store.Message{ID: mail.ID(id.String()), Tenant: "acme", Received: at, Octets: []byte{1}, Subject: "s"}
	for k := range 1 + r.IntN(5)/4 {
		to := store.Recipient{Addr: fmt.Sprintf("r%d@acme.example", (i+k)%7), Domain: "acme.example"}
		forced := r.IntN(20) == 0
		in := Input(store.Judged{Addr: to.Addr, Judgement: j, Forced: forced})
		d := policy.Decide(rules, in)
		to.State, to.Verdict, to.Action, to.Score, to.Reasons = mail.Delivered, d.Verdict, d.Action, d.Score, d.Reasons
		if d.Action != mail.Deliver {
			to.State, to.HeldAt, to.ExpiresAt = mail.Held, at, at.Add(30*24*time.Hour)
		}
		m.Recipients = append(m.Recipients, to)
	}
	return store.Filled{Message: m, Judgement: j}
}

func someRules() mail.Rules {
	return mail.Rules{
		Thresholds: map[mail.Verdict]int{mail.Spam: 60},
		Groups:     []mail.Group{{Name: "g", Members: []string{"r1@acme.example", "r2@acme.example"}, Choices: mail.Choices{Thresholds: map[mail.Verdict]int{mail.Phish: 30}}}},
		Persons:    []mail.PersonRules{{Address: "r2@acme.example", Choices: mail.Choices{Thresholds: map[mail.Verdict]int{mail.Spam: 20}}}},
		Lists:      []mail.ListEntry{{ID: "a", Allow: true, Domain: "s1.example"}, {ID: "b", Domain: "s2.example"}},
	}
}

func TestAComparisonIsWhatDecidingEachMessageComesTo(t *testing.T) {
	old := someRules()
	s := filled(t, 1300, old) // more than two pages
	b, err := Read(ctx, s, "acme", old, start)
	if err != nil {
		t.Fatal(err)
	}
	if b.Messages != 1300 || !b.Whole() || b.Copies() <= 1300 || b.NHits == 0 || len(b.Hits) == 0 {
		t.Fatalf("read %d messages, %d copies, %d hits", b.Messages, b.Copies(), b.NHits)
	}
	lax := old
	lax.Thresholds = map[mail.Verdict]int{mail.Spam: 90, mail.Malware: 100, mail.Suspicious: 20}
	group := old
	group.Groups = []mail.Group{{Name: "all", Members: []string{"acme.example"}, Choices: mail.Choices{Actions: map[mail.Verdict]mail.Action{mail.Bulk: mail.Hold, mail.Spam: mail.Deliver}}}}
	for name, next := range map[string]mail.Rules{"the same": old, "other thresholds": lax, "another group": group, "none": {Lists: old.Lists}} {
		want := Change{}
		err := s.Judged(ctx, store.JudgedFilter{Tenant: "acme"}, func(j store.Judged) error {
			was, is := policy.Decide(old, Input(j)), policy.Decide(next, Input(j))
			held, holds := was.Action != mail.Deliver, is.Action != mail.Deliver
			want.Copies++
			switch {
			case held && !holds:
				want.Freed++
			case !held && holds:
				want.Caught++
			case was.Verdict != is.Verdict:
				want.Renamed++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got := b.Compare(old, next, 5)
		if got.Copies != want.Copies || got.Freed != want.Freed || got.Caught != want.Caught || got.Renamed != want.Renamed || len(got.Moves) != min(5, want.Freed)+min(5, want.Caught) {
			t.Errorf("%s: %+v, one by one %+v", name, got, want)
		}
		if name != "the same" && got.Freed+got.Caught == 0 {
			t.Errorf("%s changes nothing, so nothing was compared", name)
		}
		h, n := b.Histogram(next, mail.Scope{Kind: mail.ScopeTenant}, mail.Spam), 0
		for _, bin := range h.Bins {
			n += bin.N
		}
		if n+h.None != got.Copies {
			t.Errorf("%s: the histogram has %d of %d copies", name, n+h.None, got.Copies)
		}
	}
	if h := b.Histogram(old, mail.Scope{Kind: mail.ScopePerson, Name: "R2@acme.example"}, mail.Spam); h.Copies == 0 || h.Copies > b.Copies()/3 {
		t.Errorf("one person of seven has %d of %d copies", h.Copies, b.Copies())
	}
}

func TestALargeTenantIsReadAsAFairSample(t *testing.T) {
	rules := someRules()
	s := filled(t, 2000, rules)
	b, err := read(ctx, s, "acme", rules, 500, start, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	if b.Whole() || b.Share != 8 || b.Messages != 2000 {
		t.Fatalf("%d of 32 of %d messages", b.Share, b.Messages)
	}
	if n := b.Copies(); n < 350 || n > 850 {
		t.Errorf("a sample of a quarter of 2000 messages has %d copies", n)
	}
	oldest := ulid.Time(b.copies[len(b.copies)-1].id.Time())
	if start.Sub(oldest) < 10*24*time.Hour {
		t.Errorf("the oldest message of the sample is of %v: it is not of the whole time", oldest)
	}
}

func TestABookIsReadInTheBackgroundAndKept(t *testing.T) {
	rules := someRules()
	shelf := &Shelf{Store: filled(t, 1200, rules), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return start }}
	if st := shelf.Book("acme", rules); st.Book != nil || !st.Reading {
		t.Fatalf("at once: %+v", st)
	}
	wait := func() *Book {
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if st := shelf.Book("acme", rules); st.Book != nil && !st.Reading {
				return st.Book
			}
		}
		t.Fatal("it is never read")
		return nil
	}
	b := wait()
	if again := shelf.Book("acme", rules); again.Book != b || again.Reading {
		t.Error("a fresh book is read again")
	}
	rules.Lists = rules.Lists[:1]
	if st := shelf.Book("acme", rules); st.Book != b || !st.Reading {
		t.Error("after an entry of the lists went, the old book is not read anew")
	}
	if wait() == b {
		t.Error("it is still the old one")
	}
	if st := shelf.Book("beta", mail.Rules{}); st.Book != nil {
		t.Error("another tenant sees this book")
	}
}

func TestJudgingAgainReleasesWhatTodaysRulesDeliver(t *testing.T) {
	strict := mail.Rules{Thresholds: map[mail.Verdict]int{mail.Spam: 10}}
	s := filled(t, 900, strict)
	if err := s.PutRules(ctx, "acme", mail.Rules{}); err != nil { // the default, which holds less
		t.Fatal(err)
	}
	want, forced := map[string]bool{}, 0
	err := s.Judged(ctx, store.JudgedFilter{Tenant: "acme"}, func(j store.Judged) error {
		if j.State == mail.Held && j.Forced {
			forced++
		} else if j.State == mail.Held && policy.Decide(mail.Rules{}, Input(j)).Action == mail.Deliver {
			want[fmt.Sprintf("%s.%d", j.ID, j.N)] = true
		}
		return nil
	})
	if err != nil || len(want) == 0 {
		t.Fatal(len(want), forced, err)
	}
	var mu sync.Mutex
	released, noted := map[string]bool{}, 0
	a := &Again{Store: s, Note: func(context.Context, string, string, string) error { mu.Lock(); noted++; mu.Unlock(); return nil },
		Release: func(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error) {
			if err := s.Release(ctx, id, n, by); err != nil {
				return deliver.Outcome{}, err
			}
			mu.Lock()
			defer mu.Unlock()
			released[fmt.Sprintf("%s.%d", id, n)] = true
			return deliver.Outcome{Kind: deliver.Delivered}, nil
		}}
	if tally, err := a.Look(ctx, "acme", func(Tally) {}); err != nil || tally.Clean != len(want) || len(released) != 0 {
		t.Fatalf("counted %+v %v, want %d", tally, err, len(want))
	}
	tally, err := a.Run(ctx, "acme", "ann", func(Tally) {})
	if err != nil || tally.Delivered != len(want) || len(released) != len(want) || noted != len(want) {
		t.Fatalf("%+v %v, %d released, want %d", tally, err, len(released), len(want))
	}
	for id := range want {
		if !released[id] {
			t.Errorf("%s is still held", id)
		}
	}
	if tally, err := a.Look(ctx, "acme", func(Tally) {}); err != nil || tally.Clean != 0 {
		t.Errorf("afterwards %+v %v", tally, err)
	}
}

// million is a book of a million copies to 5,000 recipients.
func million() *Book {
	r := rand.New(rand.NewPCG(3, 4))
	b := &Book{Share: wholeRead, copies: make([]weighed, 1_000_000)}
	for i := range 5000 {
		b.rcpts = append(b.rcpts, fmt.Sprintf("r%d@acme.example", i))
	}
	for i := range b.copies {
		w := &b.copies[i]
		w.rcpt = uint32(r.IntN(len(b.rcpts)))
		for c := range w.Points {
			w.Points[c] = int32(r.IntN(140) - 60)
		}
	}
	return b
}

// BenchmarkASliderOverAMillion is one movement of a slider: the comparison and the
// histogram.
func BenchmarkASliderOverAMillion(b *testing.B) {
	book, old := million(), someRules()
	next := old
	next.Thresholds = map[mail.Verdict]int{mail.Spam: 70}
	for b.Loop() {
		book.Compare(old, next, 20)
		book.Histogram(next, mail.Scope{Kind: mail.ScopeTenant}, mail.Spam)
	}
}

func TestAReleaseThatARestartCutOffGoesOn(t *testing.T) {
	strict := mail.Rules{Thresholds: map[mail.Verdict]int{mail.Spam: 10}}
	s := filled(t, 300, strict)
	if err := s.PutRules(ctx, "acme", mail.Rules{}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	var mu sync.Mutex
	released, most := map[string]bool{}, 5
	stuck, let := make(chan struct{}), make(chan struct{})
	defer close(let)
	var once sync.Once
	again := func(string) *Again {
		return &Again{Store: s, Note: func(context.Context, string, string, string) error { return nil },
			Release: func(ctx context.Context, tenant string, id mail.ID, n int, by string) (deliver.Outcome, error) {
				mu.Lock()
				full := len(released) >= most
				mu.Unlock()
				if full { // the process ends here
					once.Do(func() { close(stuck) })
					<-let
					return deliver.Outcome{}, store.ErrNotHeld
				}
				if err := s.Release(ctx, id, n, by); err != nil {
					return deliver.Outcome{}, err
				}
				mu.Lock()
				defer mu.Unlock()
				released[fmt.Sprintf("%s.%d", id, n)] = true
				return deliver.Outcome{Kind: deliver.Delivered}, nil
			}}
	}
	first := &Agains{Store: s, Log: log}
	total := count(t, first, again(""))
	if _, err := first.Run(ctx, again(""), "acme", "ann", total); err != nil {
		t.Fatal(err)
	}
	<-stuck
	mu.Lock()
	most = 1 << 30
	mu.Unlock()
	second := &Agains{Store: s, Log: log}
	if p := second.Of("acme"); p.Doing != Releasing || p.By != "ann" || p.Total != total {
		t.Errorf("after the restart it is %+v", p)
	}
	if err := second.Resume(ctx, again); err != nil {
		t.Fatal(err)
	}
	if p := await(t, second, Released); p.Err != nil {
		t.Errorf("it ended with %+v", p)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(released) < total-sends || len(released) > total {
		t.Errorf("%d of %d were released", len(released), total)
	}
	if left, err := again("").Look(ctx, "acme", func(Tally) {}); err != nil || left.Clean > 0 {
		t.Errorf("left: %+v %v", left, err)
	}
}
