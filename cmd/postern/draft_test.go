package main

import (
	"fmt"
	"io"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// sampled sends the shipped samples and says where each ended.
func (w *demoWorld) sampled(t *testing.T, wanted func(demoMail) bool) (ends map[string]demoEnd) {
	t.Helper()
	mails, err := shippedMail()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.server.relay.Directory.Load(t.Context()); err != nil { // which it does by itself within a second
		t.Fatal(err)
	}
	ends = map[string]demoEnd{}
	for _, m := range mails {
		if !wanted(m) {
			continue
		}
		if ends[m.file], err = w.send(t.Context(), m, patience); err != nil {
			t.Fatal(err)
		}
	}
	return ends
}

// tried is what a tenant's draft came to.
func (w *demoWorld) tried(t *testing.T) (d mail.Draft, freed, caught int, moves []store.DraftMove) {
	t.Helper()
	rules, err := w.opened.store.Rules(t.Context(), "contoso")
	if err != nil || rules.Draft == nil {
		t.Fatalf("no draft is there: %v", err)
	}
	days, err := w.opened.store.DraftDays(t.Context(), "contoso", rules.Draft.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		freed, caught = freed+day.Freed, caught+day.Caught
	}
	if moves, err = w.opened.store.DraftMoves(t.Context(), "contoso", rules.Draft.ID, 1000); err != nil {
		t.Fatal(err)
	}
	return *rules.Draft, freed, caught, moves
}

// draftStates tries a draft on new mail, lets it count for a share and for all, then
// only observes, and looks at each state of the page on the way.
func (b *browser) draftStates(t *testing.T, w *demoWorld, look func(name string)) {
	t.Helper()
	s := w.opened.store
	b.open("/t/contoso/draft")
	b.sees("No draft is tried")
	look("draft-nothing")
	b.open("/t/contoso/policies")
	b.sees("nothing can be replayed")
	b.slide("r-phish", 200)
	b.slide("r-spam", 200)
	b.until(`(() => { const a = document.querySelector('select[name="a-bulk"]'); a.value = "hold"; a.dispatchEvent(new Event("input", {bubbles: true})); a.dispatchEvent(new Event("change", {bubbles: true})); return true })()`)
	b.until(`document.querySelector('#preview input[name="a-bulk"]')?.value === "hold" && document.querySelector('#preview input[name="n-spam"]')?.value === "200"`)
	look("thresholds-to-try")
	b.press("Try on new mail")
	b.sees("is tried, acts on nothing")
	b.sees("No new mail came yet")
	look("draft-begun")

	ends := w.sampled(t, func(demoMail) bool { return true })
	d, freed, caught, moves := w.tried(t)
	if freed == 0 || caught == 0 || len(moves) != freed+caught {
		t.Fatalf("%d would be delivered and %d held, %d are listed", freed, caught, len(moves))
	}
	for file, place := range map[string]string{"17-newsletter-shop.eml": "inbox", "40-spam-gtube.eml": "quarantine"} {
		if ends[file].place != place {
			t.Errorf("a draft that acts on nothing: %s is in %s, want %s", file, ends[file].place, place)
		}
	}
	b.open("/t/contoso/draft")
	b.until(fmt.Sprintf(`[...document.querySelectorAll(".counts dd")].slice(0, 2).map(e => e.textContent).join() === "%d,%d"`, caught, freed))
	b.until(fmt.Sprintf(`document.querySelectorAll("table.list tbody tr").length === %d && document.querySelectorAll("svg.chart .bar").length > 0`, min(len(moves), 50)))
	look("draft-running")

	b.until(`(document.querySelector('select[name="percent"]').value = "50") === "50"`)
	b.press("Only for this share first")
	b.sees("counts for 50 % of the recipients")
	look("draft-share")
	ends = w.sampled(t, func(m demoMail) bool { return m.file == "17-newsletter-shop.eml" })
	rules, err := s.Rules(t.Context(), "contoso")
	if err != nil {
		t.Fatal(err)
	}
	want := "inbox"
	if policy.Staged(rules.Draft, demoMailbox) {
		want = "quarantine"
	}
	if got := ends["17-newsletter-shop.eml"].place; got != want {
		t.Errorf("at half of the recipients, draft %s: in %s, want %s", d.ID, got, want)
	}

	b.open("/t/contoso/draft")
	b.press("Put into force")
	b.sees("Undo takes it back")
	if now, err := s.Rules(t.Context(), "contoso"); err != nil || now.Draft != nil || now.Thresholds[mail.Phish] != 200 || now.Actions[mail.Bulk] != mail.Hold {
		t.Errorf("in force: %+v %v", now, err)
	}
	ends = w.sampled(t, func(m demoMail) bool { return m.file == "17-newsletter-shop.eml" })
	if got := ends["17-newsletter-shop.eml"].place; got != "quarantine" {
		t.Errorf("in force for all, the newsletter is in %s", got)
	}
	b.press("Undo")
	b.sees("The rules are as they were before that change.")

	b.open("/t/contoso/draft")
	b.fill("days", "31")
	b.until(`(document.querySelector('input[name="days"]').max = "99") === "99"`)
	b.expects("status of 422")
	b.press("Observe only")
	b.sees("A tenant can observe from 1 to 30 days")
	look("draft-observe-refused")
	b.fill("days", "7")
	b.until(`(document.querySelector('input[name="hold"][value="phish"]').checked = true)`)
	b.press("Observe only")
	b.sees("Mail is only observed until")
	look("draft-observing")
	b.open("/t/contoso/status")
	b.sees("Malware and chosen verdicts only, until")
	b.until(`document.querySelector("#verdicts a")?.getAttribute("href") === "/t/contoso/draft#observe"`)
	look("status-observing")
	b.open("/t/contoso/")
	look("overview-observing")
	ends = w.sampled(t, func(m demoMail) bool {
		return m.file == "40-spam-gtube.eml" || m.file == "41-phish-password.eml" || m.file == "53-eicar.eml"
	})
	for file, held := range map[string]bool{"40-spam-gtube.eml": false, "41-phish-password.eml": true, "53-eicar.eml": true} {
		if got := ends[file]; (got.place == "quarantine") != held || got.verdict == mail.Clean {
			t.Errorf("observing: %s is in %s as %s", file, got.place, got.verdict)
		}
	}
	b.open("/t/contoso/draft")
	b.press("End it: let verdicts count")
	b.sees("Verdicts count again")
	ends = w.sampled(t, func(m demoMail) bool { return m.file == "40-spam-gtube.eml" })
	if got := ends["40-spam-gtube.eml"].place; got != "quarantine" {
		t.Errorf("verdicts count again, and spam is in %s", got)
	}
}

// TestADraftIsTriedOnNewMailThenPutIntoForce goes through it in a browser, while mail
// comes.
func TestADraftIsTriedOnNewMailThenPutIntoForce(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	b.draftStates(t, w, func(string) {})
	b.complaints()
}

// draftPages are those of a policy that is tried on new mail.
func (g *gallery) draftPages(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	b.draftStates(t, w, func(name string) { g.see(b, name) })
	if _, err := w.opened.admin().StartBypass(t.Context(), "contoso", time.Hour, false, "good mail was held since this morning"); err != nil {
		t.Fatal(err)
	}
	g.open(b, "status-bypass", "/t/contoso/status")
	g.open(b, "thresholds-bypass", "/t/contoso/policies")
}
