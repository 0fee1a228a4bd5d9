package main

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/replay"
	"postern/internal/store"
)

// bruteForce decides every judged copy by both rules, one after the other.
func bruteForce(t *testing.T, s *store.Store, tenant string, old, new mail.Rules) (freed, caught int) {
	t.Helper()
	err := s.Judged(t.Context(), store.JudgedFilter{Tenant: tenant}, func(j store.Judged) error {
		a, b := policy.Decide(old, replay.Input(j)).Action, policy.Decide(new, replay.Input(j)).Action
		switch {
		case a != mail.Deliver && b == mail.Deliver:
			freed++
		case a == mail.Deliver && b != mail.Deliver:
			caught++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return freed, caught
}

// slide moves a slider as a hand does.
func (b *browser) slide(name string, to int) {
	b.t.Helper()
	b.until(fmt.Sprintf(`(() => { const s = document.querySelector('input[name=%q]'); if (!s) return false; s.value = %d; s.dispatchEvent(new Event("input", {bubbles: true})); return true })()`, name, to))
}

func TestASliderShowsWhatWouldChangeAndUndoTakesItBack(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	w.sendUntilHeld(t)
	s := w.opened.store
	none, err := s.Rules(t.Context(), "contoso")
	if err != nil {
		t.Fatal(err)
	}
	lax := none
	lax.Thresholds = map[mail.Verdict]int{mail.Phish: 200, mail.Spam: 200}
	freed, caught := bruteForce(t, s, "contoso", none, lax)
	if freed == 0 || caught != 0 {
		t.Fatalf("the samples would be of no use: %d freed, %d caught", freed, caught)
	}
	b.open("/t/contoso/policies")
	b.sees("This is what counts now.")
	b.slide("r-phish", 200)
	b.slide("r-spam", 200)
	b.until(fmt.Sprintf(`document.querySelector("#preview dd")?.textContent === "%d"`, freed))
	b.until(`document.querySelector('input[name="n-phish"]').value === "200" && document.querySelector('input[name="own-spam"]').checked`)
	b.sees("delivered then")
	b.press("Save…")
	b.sees(fmt.Sprintf("%d that are held now would have been delivered, and 0 that were delivered", freed))
	b.press("Save")
	b.sees("Undo takes it back")
	now, err := s.Rules(t.Context(), "contoso")
	if err != nil || now.Thresholds[mail.Phish] != 200 || now.Thresholds[mail.Spam] != 200 || now.Actions[mail.Phish] != mail.Hold {
		t.Fatalf("saved: %+v %v", now, err)
	}
	b.press("Undo")
	b.sees("The rules are as they were before that change.")
	if back, err := s.Rules(t.Context(), "contoso"); err != nil || len(back.Thresholds) != 0 || len(back.Actions) != 0 {
		t.Errorf("after undo: %+v %v", back, err)
	}
	log, err := s.AuditLog(t.Context(), store.AuditFilter{Tenant: "contoso"})
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"policy.set", "policy.undo"} {
		i := slices.IndexFunc(log, func(e store.AuditEntry) bool { return e.Action == action })
		if i < 0 || log[i].Actor != "ann@contoso.example" || log[i].Before == log[i].After {
			t.Errorf("%s is not in the audit log with what was before and after", action)
		}
	}
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

// choosePolicies makes a tenant that decided something.
func (w *demoWorld) choosePolicies(t *testing.T) {
	t.Helper()
	a, ctx := w.opened.admin(), t.Context()
	finance := mail.Scope{Kind: mail.ScopeGroup, Name: "Finance"}
	for _, err := range []error{
		second(a.SetChoices(ctx, "contoso", mail.Scope{Kind: mail.ScopeTenant}, mail.Choices{Thresholds: map[mail.Verdict]int{mail.Spam: 60}})),
		second(a.PutGroup(ctx, "contoso", "Finance", []string{"ann@" + demoDomain, "bob@" + demoDomain})),
		second(a.PutGroup(ctx, "contoso", "Everybody else", []string{demoDomain})),
		second(a.SetChoices(ctx, "contoso", finance, mail.Choices{Thresholds: map[mail.Verdict]int{mail.Phish: 40}})),
		second(a.PutPerson(ctx, "contoso", "", mail.Person{Name: "Clara Boss", Addresses: []string{"clara@home.example"}})),
		second(a.PutPerson(ctx, "contoso", "", mail.Person{Name: "Dan Doe"})),
		second(a.SetProtected(ctx, "contoso", []string{"bank.example"})),
		third(a.AddReceiver(ctx, "contoso", "it@"+demoDomain, []string{"mail", "keys"}, true)),
		second(a.AddEntry(ctx, "contoso", "supplier.example", mail.ListEntry{Allow: true, ExpiresAt: time.Now().AddDate(0, 1, 0)})),
		second(a.SetKeep(ctx, "contoso", mail.Keep{Held: map[mail.Verdict]int{mail.Spam: 14}, Trace: 21})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }

func TestATestNoticeReachesTheMailboxThroughTheDomainsOwnMTA(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	to := "ann@" + demoDomain
	before := len(w.twin.Mailbox(to))
	b.open("/t/contoso/notifications")
	b.sees("Nobody is told yet")
	b.fill("to", to)
	b.press("Add")
	b.sees("Send a test to see that it arrives.")
	b.press("Send a test")
	b.sees("The test is on its way.")
	for end := time.Now().Add(patience); len(w.twin.Mailbox(to)) == before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the test never came")
		}
	}
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}
