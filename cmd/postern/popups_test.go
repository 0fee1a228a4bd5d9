package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// The connection test, the pop-ups of the plan settings and the page that asks for the
// factor again open from the plan settings.
func TestPopUpsOfThePlanSettingsOpen(t *testing.T) { popUps(t, nil) }

func popUps(t *testing.T, g *gallery) {
	t.Helper()
	w, b := wizardWorld(t, nil)
	b.open("/t/contoso/inbound/plan")
	b.press("Test connection")
	b.sees("Connection test")
	g.see(b, "connection-test")
	for name, link := range map[string]string{"disable": `main a[role="switch"]`, "rotate": `main a[href$="key/rotate"]`, "retire": `main a[href$="key/retire"]`} {
		b.open("/t/contoso/inbound/plan")
		b.do(chromedp.Click(link), chromedp.WaitVisible(`dialog[open] [data-close]`))
		g.see(b, "ask-"+name)
	}
	w.ageFactor(t, "ann@contoso.example")
	b.open("/t/contoso/inbound/plan")
	b.press("Rotate: make a second key")
	b.press("Make it")
	b.sees("Is it still you?")
	g.see(b, "step-up")
	b.complaints()
}
