package main

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// The connection test, the pop-ups of the plan settings and the page that asks for the
// factor again open from the plan settings; POSTERN_SCREENSHOTS and POSTERN_AXE let
// them be seen and looked at for barriers.
func TestPopUpsOfThePlanSettingsOpenWithoutBarriers(t *testing.T) {
	w, b := wizardWorld(t, nil)
	p := &newcomer{browser: b, dir: os.Getenv("POSTERN_SCREENSHOTS")}
	axe, _ := os.ReadFile(os.Getenv("POSTERN_AXE")) // without it nobody looks for barriers
	p.axe = string(axe)
	p.open("/t/contoso/inbound/plan")
	p.press("Test connection")
	p.sees("Connection test")
	p.looks("connection-test")
	for name, link := range map[string]string{"disable": `main a[role="switch"]`, "rotate": `main a[href$="key/rotate"]`, "retire": `main a[href$="key/retire"]`} {
		p.open("/t/contoso/inbound/plan")
		p.do(chromedp.Click(link), chromedp.WaitVisible(`dialog[open] [data-close]`))
		p.looks("ask-" + name)
	}
	w.ageFactor(t, "ann@contoso.example")
	p.open("/t/contoso/inbound/plan")
	p.press("Rotate: make a second key")
	p.press("Make it")
	p.sees("Is it still you?")
	p.looks("step-up")
	p.complaints()
}
