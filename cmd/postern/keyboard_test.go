package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// keys presses keys, one after the other.
func (b *browser) keys(all ...string) {
	b.t.Helper()
	for _, k := range all {
		b.do(chromedp.KeyEvent(k))
	}
}

// at is what has the focus, by its role or element and its text or name.
func (b *browser) at() string {
	b.t.Helper()
	what, err := ask[string](b, `(e => e === document.body ? "body" : e.id === "main" ? "main" : (e.name || e.getAttribute("aria-label") || e.textContent || e.title).trim().replace(/\s+/g, " ").slice(0, 60))(document.activeElement)`)
	if err != nil {
		b.t.Fatal(err)
	}
	return what
}

// tabTo presses Tab until the focus is where it is wanted, and fails when it never
// comes there.
func (b *browser) tabTo(want string) {
	b.t.Helper()
	var way []string
	for range 150 {
		if at := b.at(); at == want {
			return
		}
		b.keys(kb.Tab)
		way = append(way, b.at())
	}
	b.t.Fatalf("%s: Tab never comes to %q, but by %q", b.where(), want, slices.Compact(way))
}

// nameless are the controls without a name in the tree that screen readers are given.
func (b *browser) nameless() (found []string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tree, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			role, name := fmt.Sprint(n.Role.Value), ""
			if n.Name != nil {
				name = strings.Trim(fmt.Sprint(n.Name.Value), "\" ")
			}
			switch strings.Trim(role, `"`) {
			case "button", "link", "textbox", "searchbox", "checkbox", "radio", "combobox", "slider", "spinbutton", "switch", "dialog", "navigation", "region", "Iframe", "image", "DisclosureTriangle":
				if name == "" {
					found = append(found, role+" at "+b.where())
				}
			}
		}
		return nil
	}))
	return found
}

// TestTheKeyboardIsEnough goes through the main pages as people do who use no mouse.
func TestTheKeyboardIsEnough(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	held := w.sendUntilHeld(t)

	b.open("/t/contoso/quarantine")
	b.keys(kb.Tab)
	if at := b.at(); at != "Skip to the content" {
		t.Errorf("the first Tab comes to %q", at)
	}
	b.keys(kb.Enter)
	b.until(`document.activeElement.id === "main"`)
	b.keys("/")
	if at := b.at(); at != "q" {
		t.Errorf(`"/" leads to %q`, at)
	}
	b.keys(kb.Backspace, "verdict:phish", kb.Enter) // the protocol types the stroke too, which a real key does not
	b.until(`location.search.includes("verdict")`)
	b.keys("\t")
	b.tabTo("Tick all")
	b.keys(" ")
	b.until(`[...document.querySelectorAll("input[name=id]")].every(e => e.checked)`)
	b.tabTo("do") // the first button below the table
	b.until(`document.activeElement.textContent.includes("Release")`)
	b.keys(kb.Enter)
	b.sees("Release dangerous mail?")
	b.tabTo("Cancel")
	b.keys(kb.Enter)
	b.until(`location.pathname.endsWith("/quarantine") && document.readyState === "complete"`)

	b.open("/t/contoso/inbound/plan") // a question over the page
	b.tabTo("Rotate: make a second key")
	b.keys(kb.Enter)
	b.until(`!!document.querySelector("dialog[open]")`)
	for range 12 {
		b.keys(kb.Tab)
		b.until(`document.activeElement === document.body || !!document.activeElement.closest("dialog")`) // the body: the browser's own bar
	}
	b.keys(kb.Escape)
	b.until(`!document.querySelector("dialog")`)
	if at := b.at(); at != "Rotate: make a second key" {
		t.Errorf("after the question the focus is at %q", at)
	}

	b.open("/t/contoso/policies") // a slider, and what it changes
	b.sees("This is what counts now.")
	b.tabTo("r-phish")
	b.keys(kb.ArrowRight, kb.ArrowRight)
	b.until(`document.querySelector('[name="n-phish"]').value === document.querySelector('[name="r-phish"]').value && document.querySelector('[name="own-phish"]').checked`)

	b.open("/t/contoso/") // the person's menu
	b.tabTo("a" + "ann@contoso.example")
	b.keys(kb.Enter)
	b.until(`document.querySelector("details.person").open`)
	b.keys(kb.Escape)
	b.until(`!document.querySelector("details.person").open`)
	if at := b.at(); at != "aann@contoso.example" {
		t.Errorf("after the menu the focus is at %q", at)
	}

	b.look(390, false) // the folded menu of a phone
	b.open("/t/contoso/")
	b.tabTo("Menu")
	b.keys(kb.Enter)
	b.tabTo("Quarantine")
	b.keys(kb.Enter)
	b.until(`location.pathname.endsWith("/quarantine")`)
	b.look(1280, false)

	for _, path := range []string{"", "quarantine", "quarantine?q=verdict:phish", "mail/" + held.id, "trace", "queue", "status", "reports", "reports/schedule", "inbound/plan", "inbound/recipients", "policies", "senders", "people", "retention", "notifications", "look", "audit",
		"exchange", "exchange/plan", "exchange/protection?step=choose", "exchange/connect", "probe"} {
		b.open("/t/contoso/" + path)
		for _, n := range b.nameless() {
			t.Errorf("without a name: %s", n)
		}
	}
	for _, path := range []string{"/account", "/users", "/tokens", "/tenants", "/approvals", "/provider", "/design", "/api/", "/second-factor"} {
		b.open(path)
		for _, n := range b.nameless() {
			t.Errorf("without a name: %s", n)
		}
	}
	b.complaints()
}
