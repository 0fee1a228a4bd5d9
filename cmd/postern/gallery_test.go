package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"postern/internal/portal"
)

// looks are how every page is looked at.
var looks = []struct {
	name  string
	width int64
	dark  bool
}{{"wide-light", 1440, false}, {"wide-dark", 1440, true}, {"narrow-light", 360, false}, {"narrow-dark", 360, true}}

// A gallery looks at pages as people see them, keeps pictures of them, and finds
// what must not be: see lookingFor. Nil, it does nothing.
type gallery struct {
	t      *testing.T // of the test that runs now
	dir    string     // for pictures
	axe    string     // axe.min.js
	only   *regexp.Regexp
	seen   map[string]bool // patterns of routes, and templates
	own    *http.ServeMux
	portal *http.ServeMux
	names  []string
	closed int // rooms that -run left out
}

// newGallery opens the gallery that POSTERN_SCREENSHOTS (a folder) and POSTERN_AXE
// (axe-core's axe.min.js) name; without both the test is skipped. e2e/pages.sh sets
// them. POSTERN_PAGES limits it to pictures with such names.
func newGallery(t *testing.T) *gallery {
	t.Helper()
	g := &gallery{t: t, dir: os.Getenv("POSTERN_SCREENSHOTS"), seen: map[string]bool{}, own: http.NewServeMux(), portal: http.NewServeMux(), only: regexp.MustCompile(os.Getenv("POSTERN_PAGES"))}
	if g.dir == "" || os.Getenv("POSTERN_AXE") == "" {
		t.Skip("set POSTERN_SCREENSHOTS to a folder and POSTERN_AXE to axe-core's axe.min.js, or run e2e/pages.sh")
	}
	axe, err := os.ReadFile(os.Getenv("POSTERN_AXE"))
	if err != nil {
		t.Fatal(err)
	}
	g.axe = string(axe)
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pages, own := new(portal.Portal).Pages()
	for mux, paths := range map[*http.ServeMux][]string{g.portal: pages, g.own: own} {
		for _, path := range paths {
			mux.Handle("GET "+path, http.NotFoundHandler())
		}
	}
	return g
}

// room is a part of the gallery with a world and a browser of its own.
func (g *gallery) room(name string, look func(t *testing.T)) {
	all := g.t
	g.closed++
	all.Run(name, func(t *testing.T) {
		g.t = t
		g.closed--
		look(t)
	})
	g.t = all
}

// open opens a page and looks at it.
func (g *gallery) open(b *browser, name, path string) {
	g.t.Helper()
	b.look(looks[0].width, looks[0].dark)
	b.open(path)
	g.see(b, name)
}

// see looks at the page as it is, in every look, and takes a picture of each.
func (g *gallery) see(b *browser, name string) {
	if g == nil {
		return
	}
	g.t.Helper()
	g.note(b)
	if !g.only.MatchString(name) {
		return
	}
	if slices.Contains(g.names, name) {
		g.t.Errorf("two pictures are called %s", name)
	}
	g.names = append(g.names, name)
	for _, at := range looks {
		b.look(at.width, at.dark)
		b.settle()
		for _, found := range g.inspect(b, at.width < 500) {
			g.t.Errorf("%s (%s, %s): %s", name, b.where(), at.name, found)
		}
		b.portrait(at.width, filepath.Join(g.dir, name+"-"+at.name+".png"))
	}
	b.look(looks[0].width, false)
	b.settle()
	for _, said := range b.said {
		g.t.Errorf("%s: the browser complained: %s", name, said)
	}
	b.said = nil
	g.t.Logf("%-28s %s", name, b.where())
}

// note remembers which route and which template the page is of.
func (g *gallery) note(b *browser) {
	g.t.Helper()
	template, err := ask[string](b, `document.body.dataset.page || ""`)
	if err != nil {
		g.t.Fatal(err)
	}
	mux, prefix := g.portal, ""
	if strings.HasPrefix(template, "own-") {
		mux, prefix = g.own, "recipients' "
	}
	at, err := url.Parse(b.where())
	if err != nil {
		g.t.Fatal(err)
	}
	if _, pattern := mux.Handler(&http.Request{Method: "GET", URL: at}); pattern != "" {
		g.seen[prefix+strings.TrimPrefix(pattern, "GET ")] = true
	}
	g.seen["template "+template] = true
}

// settle waits until nothing moves.
func (b *browser) settle() {
	b.t.Helper()
	b.until(`(() => { const m = document.querySelector("details.menu"); if (m) m.open = innerWidth > 896; return true })()`) // as the page's script has it when it is opened in that width
	b.still()
}

// portrait takes a picture of the whole page. The window gets the page's height, so
// that frames out of sight are painted too; before a dialog it stays as it is.
func (b *browser) portrait(width int64, file string) {
	b.t.Helper()
	height, err := ask[float64](b, `document.querySelector("dialog[open]") ? 900 : Math.max(900, document.documentElement.scrollHeight)`)
	if err != nil {
		b.t.Fatal(err)
	}
	tall := int64(math.Min(height, 12000))
	if tall > 900 {
		b.do(chromedp.EmulateViewport(width, tall))
		time.Sleep(80 * time.Millisecond)
	}
	if frames, _ := ask[int](b, `document.querySelectorAll("iframe").length`); frames > 0 {
		time.Sleep(400 * time.Millisecond) // a sandboxed frame is another process, and nobody but it knows when it has painted
	}
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	picture := chromedp.FullScreenshot(100)
	if over, _ := ask[bool](b, `!!document.querySelector("dialog[open]")`); over {
		picture = chromedp.CaptureScreenshot()
	}
	png, err := chromedp.Run(ctx, picture)
	if err != nil {
		b.t.Fatalf("a picture of %s: %v", b.where(), err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
	if tall > 900 {
		b.do(chromedp.EmulateViewport(width, 900))
	}
}

// lookingFor is what must not be on any page, as sentences. Of a dialog only what is
// in it is looked at.
const lookingFor = `(async narrow => {
const found = [], over = document.querySelector("dialog[open]"), all = over || document.body;
const shown = e => e.checkVisibility({visibilityProperty: true}) && !e.closest(".hidden, .sr, .skip");
const name = e => e.tagName.toLowerCase() + (e.className.baseVal ?? e.className ? "." + (e.className.baseVal ?? e.className).trim().replace(/\s+/g, ".") : "") + " “" + e.textContent.trim().slice(0, 40) + "”";
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) found.push("it scrolls sideways: " + root.scrollWidth + " px in " + root.clientWidth + ", because of " + [...all.querySelectorAll("*")].filter(e => shown(e) && e.getBoundingClientRect().right > root.clientWidth + 1 && !e.closest(".scroll, .clip")).slice(0, 3).map(name).join(", "));
const heads = [...all.querySelectorAll("h1")].filter(e => shown(e) && (over || !e.closest("dialog")));
if (heads.length !== 1) found.push(heads.length + " main headings: " + heads.map(name).join(", "));
if (document.querySelectorAll("main").length !== 1) found.push("not one main landmark");
if (document.body.className === "app" && (!document.querySelector("nav[aria-label]") || !document.querySelector("body > header") || !document.querySelector("footer"))) found.push("a landmark is missing");
if (!document.title || !root.lang) found.push("no title or no language");
const walk = document.createTreeWalker(all, NodeFilter.SHOW_TEXT);
const small = new Set();
for (let n; n = walk.nextNode();) {
  const e = n.parentElement;
  if (!n.data.trim() || !shown(e) || e.closest("script, style, option, datalist")) continue;
  const svg = e.closest("svg"), scale = svg && svg.viewBox.baseVal.width ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
  const px = parseFloat(getComputedStyle(e).fontSize) * scale;
  if (px < 11.9) small.add(name(e) + " has " + px.toFixed(1) + " px");
}
for (const s of [...small].slice(0, 5)) found.push("small text: " + s);
for (const e of all.querySelectorAll("*")) {
  if (!shown(e) || e.closest("svg, iframe, select")) continue;
  const s = getComputedStyle(e);
  if (s.overflowX === "hidden" && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && e.textContent.trim() && !e.title && !e.closest("[title]")) found.push("cut off and not to be read elsewhere: " + name(e));
  if (e.matches("button, a.button") && e.getClientRects().length && e.scrollWidth > e.clientWidth + 2) found.push("a button is too small for its text: " + name(e));
}
if (!narrow) {
  const at = document.activeElement, top = scrollY;
  for (const e of all.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")) {
    if (!shown(e) || e.disabled || e.type === "hidden") continue;
    e.focus({preventScroll: true});
    if (document.activeElement !== e || !e.matches(":focus-visible")) continue; // after a click browsers do not show it
    const s = getComputedStyle(e);
    if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) found.push("the focus is not visible on " + name(e));
  }
  document.activeElement?.blur();
  if (over && at) at.focus({preventScroll: true});
  scrollTo(0, top);
}
const axes = await axe.run(over || document, {iframes: false, runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]});
if (axes.passes.length < 8) found.push("axe looked at " + axes.passes.length + " things only");
for (const v of axes.violations) for (const n of v.nodes.slice(0, 3)) found.push("axe " + v.id + ": " + n.target + " " + n.failureSummary.replace(/\s+/g, " "));
return found;
})`

// inspect finds what must not be on the page.
func (g *gallery) inspect(b *browser, narrow bool) []string {
	g.t.Helper()
	if there, _ := ask[bool](b, `!!window.axe`); !there {
		if _, err := ask[bool](b, g.axe+"; true"); err != nil {
			g.t.Fatal(err)
		}
	}
	if !narrow {
		b.do(chromedp.KeyEvent(kb.Tab)) // from now on the focus is shown, as it is to whoever uses the keyboard
	}
	found, err := ask[[]string](b, fmt.Sprintf("%s(%v)", lookingFor, narrow))
	if err != nil {
		g.t.Fatalf("look at %s: %v", b.where(), err)
	}
	return found
}

// index writes a page that shows all pictures, and what was seen as JSON.
func (g *gallery) index() {
	g.t.Helper()
	var page strings.Builder
	page.WriteString("<!doctype html><meta charset=utf-8><title>Every page</title><style>body{font:14px sans-serif;margin:1rem;background:#888}section{margin-bottom:2rem}div{display:flex;gap:.5rem;align-items:start}img{max-width:22%;border:1px solid #444}</style>\n")
	for _, name := range g.names {
		fmt.Fprintf(&page, "<section><h2>%s</h2><div>", html.EscapeString(name))
		for _, at := range looks {
			fmt.Fprintf(&page, `<a href="%[1]s-%[2]s.png"><img loading=lazy src="%[1]s-%[2]s.png" alt="%[1]s %[2]s"></a>`, name, at.name)
		}
		page.WriteString("</div></section>\n")
	}
	list, err := json.MarshalIndent(g.names, "", " ")
	if err != nil {
		g.t.Fatal(err)
	}
	for file, content := range map[string][]byte{"index.html": []byte(page.String()), "pages.json": list} {
		if err := os.WriteFile(filepath.Join(g.dir, file), content, 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
}
