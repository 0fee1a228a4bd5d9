package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// browser is a real Chromium that a test drives, and what it complained of.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string // http://host:port
	said []string
	fine []string // what it may complain of besides
}

// patience is how long a test waits for what must come: much longer than a busy
// machine takes.
const patience = 90 * time.Second

// newBrowser starts Chromium, or skips the test where there is none.
func newBrowser(t *testing.T, base string, more ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	exe := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			exe = path
			break
		}
	}
	if exe == "" {
		t.Skip("no Chromium on this machine: install chromium to run the browser tests")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(exe), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("lang", "en"), chromedp.WindowSize(1280, 900))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() { cancel(); stop() })
	b := &browser{t: t, ctx: ctx, base: base}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			b.said = append(b.said, ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if ev.Entry.Level == "error" && !strings.Contains(ev.Entry.Text, "status of 422") && !slices.ContainsFunc(b.fine, func(s string) bool { return strings.Contains(ev.Entry.Text, s) }) { // a refused form is meant
				b.said = append(b.said, ev.Entry.Text+" "+ev.Entry.URL)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.shot(filepath.Join(os.TempDir(), "postern-browser-failure.png"))
		b.t.Fatalf("%v\nat %s:\n%s", err, b.where(), b.text())
	}
}

// expects lets the browser report what a test provokes.
func (b *browser) expects(text string) { b.fine = append(b.fine, text) }

func (b *browser) open(path string) { b.t.Helper(); b.do(chromedp.Navigate(b.base + path)) }

// fill types into the field with that name.
func (b *browser) fill(name, value string) {
	b.t.Helper()
	sel := fmt.Sprintf(`main [name=%q]`, name)
	b.do(chromedp.WaitVisible(sel), chromedp.Clear(sel), chromedp.SendKeys(sel, value))
}

// press clicks the first visible button or link with that text within main, and
// waits until the page or the dialog it leads to is there. While a dialog is open
// only what is in it can be pressed.
func (b *browser) press(text string) {
	b.t.Helper()
	b.click(text, true)
}

func (b *browser) click(text string, leaves bool) {
	b.t.Helper()
	find := fmt.Sprintf(`(() => { const over = document.querySelector("dialog[open]"), all = [...(over ? over.querySelectorAll("button, a") : document.querySelectorAll("main button, main a"))].filter(e => e.checkVisibility() && e.textContent.trim() === %q); document.querySelectorAll("[data-pressed]").forEach(e => e.removeAttribute("data-pressed")); if (!all.length) return false; all[0].setAttribute("data-pressed", ""); window.stays = true; window.over = over; return true })()`, text)
	b.until(find)
	b.do(chromedp.Click(`[data-pressed]`))
	if leaves {
		b.until(`window.stays ? document.querySelector("dialog[open]") !== window.over : document.readyState === "complete"`)
	}
}

// until waits for an expression to be true; a page that is being left counts as not
// yet.
func (b *browser) until(expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(30 * time.Millisecond) {
		if ok, err := ask[bool](b, expression); ok && err == nil {
			return
		}
		if time.Now().After(end) {
			b.shot(filepath.Join(os.TempDir(), "postern-browser-failure.png"))
			b.t.Fatalf("%s: never true: %s\n%s", b.where(), expression, b.text())
		}
	}
}

// ask evaluates an expression in the page.
func ask[T any](b *browser, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

func (b *browser) text() string {
	s, _ := ask[string](b, `document.body.innerText`)
	return s
}

func (b *browser) where() string {
	s, _ := ask[string](b, `location.href`)
	return strings.TrimPrefix(s, b.base)
}

// sees waits until the page says something.
func (b *browser) sees(what string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		text := b.text()
		if strings.Contains(text, what) {
			return
		}
		if time.Now().After(end) {
			b.shot(filepath.Join(os.TempDir(), "postern-browser-failure.png"))
			b.t.Fatalf("%s does not say %q but:\n%s", b.where(), what, text)
		}
	}
}

// shot writes a picture of the whole page.
func (b *browser) shot(file string) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100)); err == nil {
		_ = os.WriteFile(file, png, 0o644)
	}
}

// still waits until colours have faded over: until then neither a picture nor the
// contrast is right. A thing that turns for ever is let turn.
func (b *browser) still() {
	b.t.Helper()
	b.until(`new Promise(next => requestAnimationFrame(() => requestAnimationFrame(() =>
		next(document.readyState === "complete" && document.getAnimations().every(a => a.playState === "finished" || a.effect.getTiming().iterations === Infinity)))))`)
}

// look sets the size of the window and the colours that the system prefers.
func (b *browser) look(width int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

// owner makes the first account, as a person does, and returns the secret of its
// second factor.
func (b *browser) owner(token string) (secret string) {
	b.t.Helper()
	b.open("/")
	b.sees("Welcome")
	b.fill("token", token)
	b.fill("email", "ann@contoso.example")
	b.fill("password", "correct horse battery")
	b.press("Make the owner's account")
	b.do(chromedp.WaitReady(`input[name="secret"]`))
	secret = b.finishFactor()
	b.press("I have kept them")
	return secret
}

// finishFactor sets up the authenticator app that the page shows.
func (b *browser) finishFactor() string {
	b.t.Helper()
	secret, err := ask[string](b, `document.querySelector("input[name=secret]").value`)
	if err != nil {
		b.t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	b.fill("code", code)
	b.press("Set it up")
	b.sees("recovery codes")
	return secret
}
