package main

import (
	"fmt"
	"io"
	"testing"
)

// TestASearchIsSavedUsedAndRemoved does so in a browser, with the conditions that
// can be taken away one by one.
func TestASearchIsSavedUsedAndRemoved(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	w.sendUntilHeld(t)
	rows := func(expression string) {
		t.Helper()
		b.until(fmt.Sprintf(`(n => %s)(document.querySelectorAll("table.list tbody tr").length)`, expression))
	}
	name := func(name string) {
		t.Helper()
		b.until(fmt.Sprintf(`(d => (d.open = true, d.querySelector("input[name=name]").value = %q))(document.querySelector("details.save")) === %[1]q`, name))
	}
	b.open("/t/contoso/quarantine")
	rows("n > 20")
	b.fill("q", `verdict:phish subject:"your account"`)
	b.press("Search")
	b.until(`[...document.querySelectorAll(".chips[aria-label='What is searched'] .clip")].map(e => e.textContent).join("|") === 'verdict:phish|subject:"your account"'`)
	rows("n > 0 && n < 8")
	name("Account fraud")
	b.press("Save")
	b.sees("The search is saved.")
	b.until(`document.querySelector(".chip.saved a[aria-current]")?.textContent === "Account fraud"`)
	b.until(`(document.querySelectorAll(".chips[aria-label='What is searched'] a.cross")[1].click(), true)`)
	b.until(`location.search === "?q=verdict%3Aphish" && document.querySelectorAll(".chips[aria-label='What is searched'] li").length === 1`)
	rows("n > 8")
	b.until(`document.querySelector(".chip.saved a[aria-current]") === null`)
	b.press("Account fraud")
	b.until(`document.querySelector(".chip.saved a[aria-current]") !== null`)
	rows("n > 0 && n < 8")

	name("For all of us")
	b.until(`(document.querySelector('input[name="shared"]').checked = true)`)
	b.press("Save")
	b.sees("The search is saved.")
	b.until(`[...document.querySelectorAll(".chip.saved a")].map(e => e.textContent).sort().join("|") === "Account fraud|For all of us shared"`)
	for n := 1; n >= 0; n-- {
		b.until(`(document.querySelector(".chip.saved button.cross").click(), true)`)
		b.sees("The saved search is removed.")
		b.until(fmt.Sprintf(`document.readyState === "complete" && document.querySelectorAll(".chip.saved").length === %d`, n))
	}
	b.complaints()
}
