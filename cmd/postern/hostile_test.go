package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"postern/internal/mail"
	"postern/internal/relay/parse/preview/hostile"
)

// TestHostileMailIsPreviewedWithoutHarm is P17 of the safety plan: hostile mail goes
// through the relay into the quarantine and is looked at in a real Chromium. No
// script of it may run, no request or DNS question of it may leave, nothing of it may
// reach the page around it. POSTERN_HOSTILE=all takes every attack in every carrier.
func TestHostileMailIsPreviewedWithoutHarm(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser")
	}
	canary := newTrap(t)
	w, err := newDemoWorld(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	ids := w.holdHostile(t, canary)
	netlog, said := filepath.Join(t.TempDir(), "netlog.json"), &chatter{}
	b := newBrowser(t, "http://"+w.server.portalAddr(), chromedp.Flag("log-net-log", netlog), chromedp.Flag("enable-logging", "stderr"), chromedp.CombinedOutput(said))
	b.owner(w.token(t))
	w.readAll(t, ids)

	began := time.Now()
	b.watchParent("/t/contoso/quarantine")
	const together = 12
	for i := 0; i < len(ids); i += together {
		b.previews(ids[i:min(i+together, len(ids))])
	}
	b.parentIsUntouched()
	t.Logf("%d hostile mails previewed in %v", len(ids), time.Since(began).Round(time.Second))
	for i := 0; i < len(ids); i += 100 { // the pages around a message, with its subject, names and header
		for _, view := range []string{"", "?view=text", "?view=links", "?view=header"} {
			b.watchParent("/t/contoso/mail/" + ids[i+i/100%6] + view)
			time.Sleep(100 * time.Millisecond)
			b.parentIsUntouched()
		}
	}
	for path := "/t/contoso/quarantine"; path != ""; { // and the lists that show them all
		b.watchParent(path)
		b.parentIsUntouched()
		path, _ = ask[string](b, `(() => { const a = [...document.querySelectorAll("main a.button")].find(e => e.search.includes("before=")); return a ? a.pathname + a.search : "" })()`)
	}
	if pages := b.count("page", ""); pages != 1 {
		t.Errorf("%d windows are open", pages)
	}
	b.quit()
	logged, err := os.ReadFile(netlog)
	if err != nil || !bytes.Contains(logged, []byte(ids[0]+"/preview")) {
		t.Fatalf("the network log (%d octets, %v) does not have the previews", len(logged), err)
	}
	if found := regexp.MustCompile(`[^"]{0,40}`+regexp.QuoteMeta(hostile.Domain)+`[^"]{0,40}`).FindAll(logged, 5); found != nil {
		t.Errorf("asked for by the browser: %q", found)
	}
	if bytes.Contains(logged, []byte(canary.host)) || canary.hits.Load() > 0 {
		t.Errorf("%d requests to the attacker: %v", canary.hits.Load(), canary.first.Load())
	}
	if s := said.find(`"` + hostile.Said); s != "" {
		t.Errorf("a script ran: %s", s)
	}
}

// TestHostileMailWouldHarm shows that the attacks are real and that the
// instruments see them: without Postern's walls the same HTML runs and loads.
func TestHostileMailWouldHarm(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser")
	}
	canary := newTrap(t)
	attacks := hostile.Mails("", canary.host)
	raw := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/raw/%d", &n); err != nil || n >= len(attacks) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(attacks[n].HTML))
	}))
	t.Cleanup(raw.Close)
	netlog, said := filepath.Join(t.TempDir(), "netlog.json"), &chatter{}
	b := newBrowser(t, raw.URL, chromedp.Flag("log-net-log", netlog), chromedp.Flag("enable-logging", "stderr"), chromedp.CombinedOutput(said))
	for each := 250 * time.Millisecond; each < 10*time.Second && (said.count(`"`+hostile.Said) < 20 || canary.hits.Load() < 20); each *= 3 { // a busy machine takes longer
		for n := 0; n < len(attacks); n += 6 { // each attack once
			if strings.HasPrefix(attacks[n].Name, "overlay") || strings.Contains(attacks[n].HTML, "mailto:") {
				continue
			}
			_ = chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				ctx, cancel := context.WithTimeout(ctx, each)
				defer cancel()
				return chromedp.Do(ctx, chromedp.Navigate(fmt.Sprintf("%s/raw/%d", raw.URL, n)))
			}))
		}
		time.Sleep(time.Second)
	}
	b.quit()
	logged, err := os.ReadFile(netlog)
	if err != nil {
		t.Fatal(err)
	}
	ran := said.count(`"` + hostile.Said)
	asked := bytes.Count(logged, []byte(hostile.Domain))
	t.Logf("without walls: %d scripts ran, %d requests reached the attacker, his domain is %d times in the network log", ran, canary.hits.Load(), asked)
	if ran < 20 || canary.hits.Load() < 20 || asked < 50 {
		t.Error("the attacks are not real, or the instruments are blind")
	}
}

// trap is the attacker's server.
type trap struct {
	host  string // "127.0.0.1:port"
	hits  atomic.Int64
	first atomic.Value // the first request's line
}

func newTrap(t *testing.T) *trap {
	c := &trap{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.hits.Add(1)
		c.first.CompareAndSwap(nil, r.Method+" "+r.URL.String())
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}))
	t.Cleanup(srv.Close)
	c.host = strings.TrimPrefix(srv.URL, "http://")
	return c
}

// chatter gathers what Chromium logs, of every frame and process.
type chatter struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (c *chatter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.Write(p)
}

func (c *chatter) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Count(c.all.Bytes(), []byte(what))
}

func (c *chatter) find(what string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range bytes.Lines(c.all.Bytes()) {
		if bytes.Contains(line, []byte(what)) {
			return string(line)
		}
	}
	return ""
}

// holdHostile hands the attacks to the relay and returns their copies once all are
// held.
func (w *demoWorld) holdHostile(t *testing.T, c *trap) (ids []string) {
	t.Helper()
	ctx := t.Context()
	a := w.opened.admin()
	if _, err := a.AddTenant(ctx, "Contoso"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddDomain(ctx, mail.Domain{Name: demoDomain, Tenant: "contoso", MTAs: []mail.MTA{{Host: "127.0.0.1", Port: w.mxPort(), TLS: mail.TLSNone}}}); err != nil {
		t.Fatal(err)
	}
	key, err := a.EnableDomain(ctx, demoDomain)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.server.relay.Directory.Load(ctx); err != nil {
		t.Fatal(err)
	}
	attacks := hostile.Mails("POSTERN"+"*TEST*PHISH*8RV2", c.host)
	if os.Getenv("POSTERN_HOSTILE") != "all" {
		attacks = hostile.Some(attacks, 3)
	}
	for _, m := range attacks {
		env := &mail.Envelope{Client: netip.MustParseAddr("127.0.0.1"), HELO: "mail.sender.example", From: "ben@sender.example", To: []mail.Rcpt{{Addr: demoMailbox}}, Received: time.Now().UTC()}
		id, err := w.server.relay.Accept(ctx, env, strings.NewReader("x-trustifi-creds: "+key.Key+"\r\n"+string(m.Raw)))
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		ids = append(ids, copyID(id, 0))
	}
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		depth, err := w.opened.store.QueueDepth(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if depth[mail.Held] == len(attacks) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d are held: %v", depth[mail.Held], len(attacks), depth)
		}
	}
	if len(ids) < 500 {
		t.Fatalf("only %d hostile mails", len(ids))
	}
	return ids
}

// readAll gives a reason for every copy in the name of the one session there is.
func (w *demoWorld) readAll(t *testing.T, ids []string) {
	t.Helper()
	sessions, err := w.opened.store.Sessions(t.Context(), "ann@contoso.example")
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%d sessions, %v", len(sessions), err)
	}
	for _, text := range ids {
		id, n, err := parseCopy(text)
		if err == nil {
			err = w.opened.store.PutReading(t.Context(), "contoso", id, n, sessions[0].ID, "content")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// watchParent opens a page and puts instruments into it.
func (b *browser) watchParent(path string) {
	b.t.Helper()
	b.open(path)
	b.until(`document.readyState === "complete" && !!document.querySelector("main")`)
	if _, err := ask[bool](b, `(() => {
		window.seen = []; window.here = location.href; window.titled = document.title; window.wide = document.documentElement.scrollWidth;
		addEventListener("message", e => seen.push("message: " + e.data));
		addEventListener("beforeunload", () => seen.push("leaving"));
		for (const f of ["alert", "confirm", "prompt", "print", "open"]) window[f] = () => seen.push(f);
		new MutationObserver(all => { for (const m of all) if (m.target.id !== "batch" && ![...m.addedNodes, ...m.removedNodes].some(n => n.id === "batch")) seen.push("changed: " + m.type + " " + m.target.nodeName) }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, characterData: true });
		return true })()`); err != nil {
		b.t.Fatal(err)
	}
}

// previews shows the previews of some messages as the message's page does, clicks
// into each, and looks at what happened.
func (b *browser) previews(ids []string) {
	b.t.Helper()
	list := `["` + strings.Join(ids, `","`) + `"]`
	ctx, cancel := context.WithTimeout(b.ctx, 3*time.Minute) // a busy machine takes its time for twelve children
	defer cancel()
	status, err := chromedp.Run(ctx, chromedp.Evaluate[[]int](`(async () => {
		const box = document.createElement("div"); box.id = "batch"; document.body.append(box);
		box.attributeStyleMap.set("position", "fixed"); box.attributeStyleMap.set("inset", "0"); box.attributeStyleMap.set("z-index", "99");
		performance.clearResourceTimings(); performance.setResourceTimingBufferSize(1000);
		await Promise.all(`+list+`.map(id => new Promise(done => {
			const f = document.createElement("iframe"); f.setAttribute("sandbox", ""); f.width = 300; f.height = 200; f.onload = done; f.src = "/t/contoso/mail/" + id + "/preview"; box.append(f) })));
		await new Promise(done => setTimeout(done, 120));
		return performance.getEntriesByType("resource").filter(e => e.name.endsWith("/preview")).map(e => e.responseStatus) })()`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	b.untilFrames(len(ids))
	for i := range ids {
		if i >= len(status) || status[i] != http.StatusOK {
			b.t.Fatalf("previews of %v answered %v", ids, status)
		}
		at := input.DispatchMouseEventParams{X: float64(i%4)*304 + 60, Y: float64(i/4)*204 + 40, Button: input.MouseButtonLeft, ClickCount: 1}
		b.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
				at.Type = kind
				if _, err := cdp.Call(ctx, tab, input.DispatchMouseEvent, at); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	outside, err := ask[[]string](b, `(() => { const out = [];
		for (const f of document.querySelectorAll("#batch iframe")) { let reach = ""; try { reach = f.contentDocument ? "document" : "" } catch { reach = "" } if (reach) out.push("its document can be reached");
			const r = f.getBoundingClientRect(); if (r.width > 310 || r.height > 210) out.push("it grew to " + r.width + "x" + r.height) }
		document.getElementById("batch").remove(); return out })()`)
	if err != nil || len(outside) > 0 {
		b.t.Errorf("previews of %v: %v %v", ids, outside, err)
	}
}

// parentIsUntouched looks at the instruments.
func (b *browser) parentIsUntouched() {
	b.t.Helper()
	found, err := ask[[]string](b, `(() => { const out = [...seen]; if (location.href !== here) out.push("at " + location.href); if (document.title !== titled) out.push("called " + document.title);
		if (window.pwned !== undefined) out.push("pwned " + window.pwned); if (document.documentElement.scrollWidth !== wide) out.push("is wider"); return out })()`)
	if err != nil || len(found) > 0 {
		b.t.Errorf("%s: %v %v", b.where(), found, err)
	}
}

// count is how many targets of a kind the browser has whose address ends so.
func (b *browser) count(kind, ends string) (n int) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		all, err := cdp.Call(ctx, tab, target.GetTargets, target.GetTargetsParams{})
		if err != nil {
			return err
		}
		for _, info := range all.TargetInfos {
			if info.Type == kind && strings.HasSuffix(info.URL, ends) {
				n++
			}
		}
		return nil
	}))
	return n
}

// untilFrames waits until so many previews are shown: each is a target of its own,
// since Chromium gives a document with an opaque origin a process of its own. One that
// was refused would be an error page.
func (b *browser) untilFrames(want int) {
	b.t.Helper()
	got := 0
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = b.count("iframe", "/preview"); got == want {
			return
		}
	}
	b.t.Errorf("%d previews are shown apart from the page, want %d", got, want)
}

// quit ends the browser, so that its log is whole.
func (b *browser) quit() {
	b.t.Helper()
	if err := chromedp.Cancel(b.ctx); err != nil {
		b.t.Logf("ending the browser: %v", err)
	}
}
