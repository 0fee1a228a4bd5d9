package main

import (
	"io"
	"testing"
)

// heldStates goes through everything that can be done with held mail, and looks at
// each state of the pages on the way.
func (b *browser) heldStates(w *demoWorld, held heldMail, look func(name string)) {
	b.t.Helper()
	message := "/t/contoso/mail/" + held.id
	b.open("/t/contoso/verdict-reports")
	b.sees("No report yet")
	look("verdict-reports-empty")
	b.open(message)
	look("held-message")
	b.fill("reason", "asked by the recipient")
	b.press("Show the header only")
	b.sees("Servers on its way, as they say")
	look("held-header-only")
	b.fill("reason", "asked by the recipient")
	b.press("Show the message")
	b.sees("Download as an encrypted archive")
	for _, view := range []string{"preview", "text", "links", "header"} {
		b.open(message + "?view=" + view)
		look("held-" + view)
	}
	b.open(message + "?view=preview")
	b.untilFrames(1)
	b.open(message + "/similar")
	b.sees("Similar messages")
	look("held-similar")
	b.open(message)
	b.fill("comment", "It is our own newsletter, which the marketing people sent through a new provider.")
	b.press("Report")
	b.sees("The report is kept")
	look("held-reported")
	b.open("/t/contoso/verdict-reports")
	b.sees("wanted mail held, 30 days")
	look("verdict-reports")
	b.open(message)
	b.press("Delete")
	b.sees("It will be deleted in 10 minutes.")
	look("held-deleted")
	b.open(message)
	b.sees("gone at")
	look("held-doomed")
	b.press("Undo")
	b.sees("It is kept.")
	b.open("/t/contoso/quarantine")
	if _, err := ask[bool](b, `document.querySelectorAll("input[name=id]").forEach(e => e.checked = true); true`); err != nil {
		b.t.Fatal(err)
	}
	b.press("Block their senders")
	b.sees("is blocked from now on")
	look("held-blocked")
	if _, err := ask[bool](b, `document.querySelectorAll("input[name=id]").forEach(e => e.checked = true); true`); err != nil {
		b.t.Fatal(err)
	}
	b.press("Delete the ticked")
	b.sees("Delete these messages?")
	look("held-confirm-delete")
	b.press("Delete")
	b.sees("Undo all deletions")
	look("held-all-deleted")
	b.press("Undo all deletions")
	b.sees("It is kept.")
	b.open(message)
	b.press("Release")
	b.sees("Release dangerous mail?")
	look("held-confirm-release")
	before := len(w.twin.Mailbox(held.to))
	b.press("Release all the same")
	b.sees("answered: 250")
	look("held-released")
	if got := len(w.twin.Mailbox(held.to)); got != before+1 {
		b.t.Errorf("%d messages in the mailbox, had %d", got, before)
	}
}

// TestEverythingThatCanBeDoneWithHeldMail goes through it in a browser, as a person
// does.
func TestEverythingThatCanBeDoneWithHeldMail(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	b.heldStates(w, w.sendUntilHeld(t), func(string) {})
	b.complaints()
}
