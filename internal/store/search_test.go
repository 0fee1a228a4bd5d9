package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// made is one recipient's copy as a test made it, for comparing with what is found.
type made struct {
	m *store.Message
	n int
	j *mail.Judgement
	store.Recipient
}

func pickOne(r *rand.Rand, words string) string {
	list := strings.Fields(words)
	return list[r.IntN(len(list))]
}

// someMail makes a message whose words repeat so much that questions hit.
func someMail(r *rand.Rand, tenant string, received time.Time) (*store.Message, *mail.Judgement) {
	m := newMail(tenant, 10)
	m.Received = received.Truncate(time.Millisecond)
	m.Envelope.From = pickOne(r, "ann bob Müller") + "@" + pickOne(r, "shop.example pay.example mypaypal.test")
	m.From = pickOne(r, "Ann@shop.example ceo@contoso.example x@y.zz")
	m.Subject = pickOne(r, "Invoice Rechnung Facturé 請求書 win") + " " + pickOne(r, "4711 100% a_b 'or' \"q\" ümläut")
	m.Recipients = nil
	for i := range 1 + r.IntN(2) {
		to := pickOne(r, "eve mallory o'neil") + fmt.Sprint(i) + "@" + tenant + ".example"
		m.Recipients = append(m.Recipients, store.Recipient{Addr: to, Domain: tenant + ".example", State: mail.Accepted})
	}
	j := &mail.Judgement{Auth: judgement.Auth, Links: []string{pickOne(r, "login.paypa1.test cdn.shop.example") + "."}}
	if r.IntN(2) == 0 {
		j.Parts = []mail.PartInfo{{Path: "1", Name: pickOne(r, "Invoice.pdf scan.ZIP Überweisung.docx")}}
	}
	return m, j
}

// change judges a copy: held, delivered or dropped.
func change(r *rand.Rand, m *store.Message, n int, j *mail.Judgement) store.Change {
	verdict := []mail.Verdict{mail.Clean, mail.Clean, mail.Spam, mail.Phish}[r.IntN(4)]
	c := store.Change{Message: m.ID, Tenant: m.Tenant, N: n, State: mail.Delivered, Judgement: j,
		Decision: &mail.Decision{Verdict: verdict, Action: mail.Deliver, Reasons: []string{pickOne(r, "DMARC. Link→paypa1 Passwort"), "line\nbreak \\n"}}}
	if verdict != mail.Clean {
		c.State, c.Decision.Action = mail.Held, mail.Hold
		c.HeldAt = m.Received.Add(time.Duration(r.IntN(40)) * time.Minute)
		c.ExpiresAt = c.HeldAt.Add(300 * 24 * time.Hour)
	}
	if r.IntN(12) == 0 {
		c.State = mail.Dropped
	}
	return c
}

// apply brings what a test knows to what the change makes of it.
func (x *made) apply(c store.Change) {
	x.State, x.Verdict, x.Reasons, x.HeldAt, x.j = c.State, c.Decision.Verdict, c.Decision.Reasons, c.HeldAt, c.Judgement
}

// judge changes a copy, and keeps the judgement with all copies of its message.
func judge(t *testing.T, s *store.Store, r *rand.Rand, all []*made, x *made, j *mail.Judgement) {
	t.Helper()
	c := change(r, x.m, x.n, j)
	advance(t, s, c)
	for _, y := range all {
		if y.m == x.m {
			y.j = j
		}
	}
	x.apply(c)
}

// bruteForce is the question answered without an index.
func bruteForce(all []*made, f store.TraceFilter, quarantine bool) []*made {
	var out []*made
	for _, x := range all {
		if f.Tenant != "" && x.m.Tenant != f.Tenant || f.Verdict != "" && x.Verdict != f.Verdict || !quarantine && f.State != "" && x.State != f.State || quarantine && x.State != mail.Held ||
			f.MessageID != "" && x.m.MessageID != f.MessageID || !f.Since.IsZero() && x.m.Received.Before(f.Since) || !f.Until.IsZero() && !x.m.Received.Before(f.Until) {
			continue
		}
		terms := append([]store.Term{{store.FromField, f.From}, {store.ToField, f.To}, {store.SubjectField, f.Subject}, {store.ReasonField, f.Reason},
			{store.FileField, f.Attachment}, {store.LinkField, f.Link}, {store.Anywhere, f.Text}}, f.Terms...)
		if !slices.ContainsFunc(terms, func(t store.Term) bool { return !x.has(t) }) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b *made) int {
		at, bt := a.m.Received, b.m.Received
		if quarantine {
			at, bt = a.HeldAt, b.HeldAt
		}
		if c := bt.Compare(at); c != 0 {
			return c
		}
		if c := strings.Compare(string(b.m.ID), string(a.m.ID)); c != 0 {
			return c
		}
		return b.n - a.n
	})
	return out
}

// has is written apart from the store's own way of comparing: plain letters only.
func (x *made) has(t store.Term) bool {
	plain := func(s string) string {
		return strings.NewReplacer("ü", "u", "ä", "a", "é", "e").Replace(strings.ToLower(s))
	}
	in := map[store.Field][]string{store.FromField: {x.m.Envelope.From, x.m.From}, store.ToField: {x.Addr}, store.SubjectField: {x.m.Subject}, store.ReasonField: x.Reasons}
	if x.j != nil {
		in[store.LinkField] = x.j.Links
		for _, p := range x.j.Parts {
			in[store.FileField] = append(in[store.FileField], p.Name)
		}
	}
	for field, texts := range in {
		for _, text := range texts {
			if (t.Field == store.Anywhere || t.Field == field) && strings.Contains(plain(text), plain(strings.TrimSpace(t.Part))) {
				return true
			}
		}
	}
	return t.Part == ""
}

// someQuestion asks for up to three things.
func someQuestion(r *rand.Rand, all []*made) (f store.TraceFilter, quarantine bool) {
	for range 1 + r.IntN(3) {
		switch r.IntN(12) {
		case 0:
			f.From = pickOne(r, "ann @shop paypal müller MULLER nobody ceo@contoso.example zz")
		case 1:
			f.To = pickOne(r, "eve mallory1 acme.example O'NEIL x e")
		case 2:
			f.Subject = pickOne(r, "invoice 4711 % a_b facture 請求 umlaut nothing ' in")
		case 3:
			f.Reason = pickOne(r, "dmarc paypa1 →pay break nowhere \\n")
		case 4:
			f.Attachment = pickOne(r, "pdf .zip uberweisung exe")
		case 5:
			f.Link = pickOne(r, "paypa1 cdn. shop.example. nowhere")
		case 6:
			f.Text = pickOne(r, "invoice paypa acme dmarc nowhere-at-all pa 100%")
		case 7:
			f.Terms = append(f.Terms, store.Term{Part: pickOne(r, "shop example 4711")}, store.Term{Field: store.SubjectField, Part: pickOne(r, "win rech")})
		case 8:
			f.Verdict = mail.Verdict(pickOne(r, "clean spam phish malware"))
		case 9:
			f.State = mail.State(pickOne(r, "delivered held dropped accepted returned"))
		case 10:
			f.MessageID = all[r.IntN(len(all))].m.MessageID
		case 11:
			f.Since = all[r.IntN(len(all))].m.Received
			if r.IntN(2) == 0 {
				f.Until = f.Since.Add(time.Duration(r.IntN(200)) * time.Minute)
			}
		}
	}
	f.Tenant = pickOne(r, "acme acme beta none")
	if f.Tenant == "none" {
		f.Tenant = ""
	}
	return f, r.IntN(2) == 0
}

// ask compares pages down and up again with brute force.
func ask(t *testing.T, s *store.Store, all []*made, f store.TraceFilter, quarantine bool, page int) {
	t.Helper()
	want := bruteForce(all, f, quarantine)
	key := func(id mail.ID, n int) string { return fmt.Sprintf("%s/%d", id, n) }
	var wanted, down, up []string
	for _, x := range want {
		wanted = append(wanted, key(x.m.ID, x.n))
	}
	f.Limit, f.Count = page, 1000
	var last store.Found
	for first := true; ; first = false {
		found, err := s.Search(t.Context(), f, quarantine)
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		if first && (found.Count != min(len(want), 1000) || found.More != (len(want) > 1000) || found.Newer) {
			t.Errorf("%+v: counted %d (more %v, newer %v), there are %d", f, found.Count, found.More, found.Newer, len(want))
		}
		for _, r := range found.Rows {
			down = append(down, key(r.ID, r.N))
		}
		if len(found.Rows) > 0 {
			last = found
		}
		if !found.Older {
			break
		}
		f.Before = found.Rows[len(found.Rows)-1].Cursor(quarantine)
	}
	if !slices.Equal(down, wanted) {
		t.Fatalf("quarantine %v, %+v:\nfound %d %v\nwant  %d %v", quarantine, f, len(down), down, len(wanted), wanted)
	}
	for found := last; found.Newer; {
		var err error
		f.Before, f.After = "", found.Rows[0].Cursor(quarantine)
		if found, err = s.Search(t.Context(), f, quarantine); err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, r := range found.Rows {
			rows = append(rows, key(r.ID, r.N))
		}
		up = append(rows, up...)
	}
	if n := len(wanted) - len(last.Rows); !slices.Equal(up, wanted[:n]) {
		t.Fatalf("upwards, quarantine %v, %+v:\nfound %v\nwant  %v", quarantine, f, up, wanted[:n])
	}
}

// TestSearchFindsWhatIsThere asks random questions of random mail, in blocks and
// not, judged in time and late, and compares with looking at everything.
func TestSearchFindsWhatIsThere(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		s.IndexSmall(64, 8, 5, 2*time.Second, time.Second)
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		var all []*made
		start := time.Now().Add(-10 * 24 * time.Hour)
		for round := range 4 {
			for i := range 80 {
				tenant := pickOne(r, "acme acme acme beta")
				at := start.Add(time.Duration(round*80+i) * 10 * time.Minute)
				switch r.IntN(10) {
				case 0:
					at = start.Add(time.Duration(r.IntN(5000)) * time.Minute) // out of order
				case 1:
					at = time.Now()
				case 2:
					at = start.Add(time.Duration(round) * 800 * time.Minute) // many at one moment
				}
				m, j := someMail(r, tenant, at)
				accept(t, s, m)
				for n := range m.Recipients {
					all = append(all, &made{m: m, n: n, Recipient: m.Recipients[n]})
				}
				for _, x := range all[len(all)-len(m.Recipients):] {
					if r.IntN(5) > 0 {
						judge(t, s, r, all, x, j)
					}
				}
			}
			if round > 0 {
				if _, err := s.Index(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for _, x := range all { // some that waited are judged now, late
				if x.State == mail.Accepted && r.IntN(3) == 0 {
					_, j := someMail(r, x.m.Tenant, x.m.Received)
					judge(t, s, r, all, x, j)
				}
			}
			for range 25 {
				f, quarantine := someQuestion(r, all)
				ask(t, s, all, f, quarantine, 1+r.IntN(30))
			}
		}
		st, err := s.IndexState(t.Context(), "")
		if err != nil || st.Blocks < 2 || st.Messages < 100 {
			t.Errorf("hardly anything was in blocks: %+v %v", st, err)
		}
	})
}

// TestHostileQuestionsFindNothingAndBreakNothing: no character has a meaning.
func TestHostileQuestionsFindNothingAndBreakNothing(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		s.IndexSmall(64, 1, 5, time.Second, time.Second)
		m := newMail("acme", 10)
		m.Received = time.Now().Add(-time.Hour)
		accept(t, s, m)
		if n, err := s.Index(t.Context()); err != nil || n != 1 {
			t.Fatalf("%d in blocks, %v", n, err)
		}
		for _, part := range []string{"' OR 1=1 --", `" OR ""="`, "x* NEAR y", "%", "_____", "\x00", "a\x00b", "\xff\xfe", "$1", "?", "{", strings.Repeat("z", 1<<20), strings.Repeat("\u0301", 5000), "\u202e"} {
			for _, f := range []store.TraceFilter{{Text: part}, {Subject: part}, {Link: part, Tenant: "acme"}, {Tenant: part}, {MessageID: part}, {Verdict: mail.Verdict(part)}, {State: mail.State(part)}} {
				for _, quarantine := range []bool{false, true} {
					found, err := s.Search(t.Context(), f, quarantine)
					if strings.ContainsAny(f.Tenant+f.MessageID+string(f.Verdict)+string(f.State), "\x00\xff") && err != nil {
						continue // PostgreSQL takes no such text, which never stands in these columns
					}
					if err != nil || len(found.Rows) != 0 && fold(part) != "" {
						t.Errorf("%.40q: %d rows, %v", part, len(found.Rows), err)
					}
				}
			}
		}
	})
}

// fold leaves nothing of what is only marks or blanks.
func fold(s string) string { return strings.Trim(s, "\u0301 ") }

// stopping is a context that ends when it was asked some times.
type stopping struct {
	context.Context
	left *int
}

func (c stopping) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return c.Context.Err()
}

// TestIndexingStoppedAnywhereGoesOn stops the worker at each of its steps in turn,
// as a crash would, and opens the store again.
func TestIndexingStoppedAnywhereGoesOn(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		r := rand.New(rand.NewPCG(1, 2))
		var all []*made
		add := func(n int) {
			for range n {
				m, j := someMail(r, "acme", time.Now().Add(-time.Duration(1+r.IntN(100_000))*time.Minute))
				accept(t, s, m)
				for n := range m.Recipients {
					x := &made{m: m, n: n, Recipient: m.Recipients[n]}
					c := change(r, m, n, j)
					advance(t, s, c)
					x.apply(c)
					all = append(all, x)
				}
			}
		}
		add(30)
		for steps := 0; ; steps++ {
			s.IndexSmall(40, 4, 3, time.Second, time.Second)
			left := steps
			_, err := s.Index(stopping{t.Context(), &left})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("after %d steps: %v", steps, err)
			}
			if steps%4 == 0 {
				s.Close()
				s = d.open(t)
			}
			f, quarantine := someQuestion(r, all)
			ask(t, s, all, f, quarantine, 20)
			ask(t, s, all, store.TraceFilter{Text: "example"}, false, 50)
			if err == nil && steps > 30 {
				break
			}
			if steps%5 == 0 {
				add(3) // and there is always something to do
			}
			if steps > 300 {
				t.Fatal("the worker never comes to its end")
			}
		}
		s.Close()
		if n := number(t, d, "SELECT count(*) FROM search_garbage"); n != 0 {
			t.Errorf("%d blocks are garbage at the end", n)
		}
		pages, known := number(t, d, "SELECT count(*) FROM search_pages"), number(t, d, "SELECT coalesce(sum(pages), 0) FROM search_blocks")
		if pages != known {
			t.Errorf("%d pages, the blocks have %d", pages, known)
		}
	})
}

// number asks behind the store's back.
func number(t *testing.T, d database, query string) (n int) {
	t.Helper()
	db, err := sql.Open(d.driver, d.dsn)
	must(t, err)
	defer db.Close()
	must(t, db.QueryRow(query).Scan(&n))
	return n
}

// TestWhatTheTraceForgetsIsNotFound: retention takes blocks away too.
func TestWhatTheTraceForgetsIsNotFound(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t, func(o *store.Options) { o.KeepTrace = 24 * time.Hour })
		s.IndexSmall(64, 1, 5, time.Second, time.Second)
		for i := range 20 {
			m := newMail("acme", 10)
			m.Received = time.Now().Add(-time.Duration(i) * 3 * time.Hour)
			advance(t, s, delivered(accept(t, s, m), 0))
		}
		must(t, second(s.Index(t.Context())))
		must(t, second(s.Expire(t.Context(), time.Now())))
		f := store.TraceFilter{Tenant: "acme", Text: "minutes"}
		rows, err := s.Trace(t.Context(), f)
		if err != nil || len(rows) != 8 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		must(t, second(s.Expire(t.Context(), time.Now().Add(30*time.Minute))))
		later := time.Now().Add(40 * 24 * time.Hour)
		s.Close()
		s = d.open(t, func(o *store.Options) { o.KeepTrace = 24 * time.Hour; o.Now = func() time.Time { return later } })
		must(t, second(s.Expire(t.Context(), later)))
		must(t, second(s.Index(t.Context())))
		st, err := s.IndexState(t.Context(), "")
		if err != nil || st != (store.IndexState{}) {
			t.Errorf("left of the index: %+v %v", st, err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestASearchThatRunsOutOfTimeSaysHowFarItCame(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s := d.open(t)
		s.IndexSmall(200, 1, 5, time.Second, time.Second)
		base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		want := ""
		for i := range 700 {
			m := newMail("acme", 1)
			m.Received = base.Add(time.Duration(i) * time.Second)
			if i == 3 {
				m.Subject, want = "the one", string(m.ID)
			}
			accept(t, s, m)
		}
		for _, indexed := range []bool{false, true} {
			if indexed {
				must(t, second(s.Index(t.Context())))
			}
			for _, part := range []string{"the one", "th"} {
				f := store.TraceFilter{Tenant: "acme", Subject: part, Limit: 10_000, Budget: 1}
				got, pages := []string{}, 0
				for {
					found, err := s.Search(t.Context(), f, false)
					must(t, err)
					for _, r := range found.Rows {
						got = append(got, string(r.ID))
					}
					if pages++; found.Reached == "" || pages > 50 {
						break
					}
					f.Before = found.Reached
				}
				if n := len(slices.Compact(slices.Clone(got))); part == "the one" && (len(got) != 1 || got[0] != want) || part == "th" && (n != 700 || len(got) != 700) || pages < 2 {
					t.Errorf("indexed %v, %q: %d rows (%d different) on %d pages", indexed, part, len(got), n, pages)
				}
			}
		}
	})
}
