package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/report"
)

//go:embed templates static
var files embed.FS

// pages are the parsed templates, by name.
type pages struct{ byName map[string]*template.Template }

// loadPages parses every template with the layout and the components.
func loadPages() (*pages, error) {
	base, err := template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts*.html")
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	ps := &pages{map[string]*template.Template{}}
	for _, name := range names {
		file := path.Base(name)
		if file == "layout.html" || strings.HasPrefix(file, "parts") {
			continue
		}
		t, err := template.Must(base.Clone()).ParseFS(files, name)
		if err != nil {
			return nil, fmt.Errorf("portal: %w", err)
		}
		called := strings.TrimSuffix(file, ".html")
		if _, err := t.New("page").Parse(called); err != nil { // which page it is, for whoever looks at all of them
			return nil, fmt.Errorf("portal: %w", err)
		}
		ps.byName[called] = t
	}
	return ps, nil
}

// render executes a page into memory first, so that an error leaves nothing half
// written.
func (p *Portal) render(w http.ResponseWriter, status int, name string, page any) error {
	t := p.pages.byName[name]
	if t == nil {
		return fmt.Errorf("there is no template %s", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", page); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser may have gone
	return nil
}

// functions are what templates can call besides the page's own methods.
var functions = template.FuncMap{
	"when":     when,
	"visible":  visible,
	"letter":   letter,
	"address":  address,
	"query":    query,
	"size":     size,
	"dict":     dict,
	"lasting":  lasting,
	"state":    stateWord,
	"verdict":  verdictWord,
	"number":   report.Number,
	"brief":    report.Brief,
	"join":     strings.Join,
	"browser":  browser,
	"contains": strings.Contains,
	"nothing":  func(s string) bool { return s == "null" || s == "{}" }, // as JSON says it
	"add":      func(a, b int) int { return a + b },
}

// query is what stands after the ? of an address, encoded as url.Values does it. A
// string there would be taken for one value, and its = and & for text of it.
func query(encoded string) template.URL { return template.URL(encoded) }

// when is a moment, in UTC for those without scripts; a script turns it into the
// reader's zone.
func when(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s UTC</time>`, t.Format(time.RFC3339), t.Format("2006-01-02 15:04")))
}

// visible is mail.Visible for whatever a page prints.
func visible(v any) string { return mail.Visible(fmt.Sprint(v)) }

// letter is visible for texts of many lines, which stay lines.
func letter(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// address shows an address as it is.
func address(s string) string { return mail.Shown(s) }

// size is a number of octets for people.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1_000_000)
}

// dict gathers what a component takes.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

func stateWord(s mail.State) string {
	switch s {
	case mail.Accepted:
		return "being judged"
	case mail.Judged:
		return "judged"
	case mail.Delivering:
		return "on its way"
	case mail.Delivered:
		return "delivered"
	case mail.Held:
		return "held"
	case mail.Dropped:
		return "dropped"
	case mail.Returned:
		return "returned"
	}
	return string(s)
}

func verdictWord(v mail.Verdict) string {
	if v == "" {
		return "not judged yet"
	}
	return string(v)
}

// staticFiles serves what browsers may keep.
func staticFiles() http.Handler {
	next := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r) // no listing
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		next.ServeHTTP(w, r)
	})
}
