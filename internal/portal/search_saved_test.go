package portal

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// savedNames are the saved searches that a person sees on a page: "Mine" or
// "Ours, shared", with "×" where they may be removed.
func (c *client) savedNames(t *testing.T, path string) string {
	t.Helper()
	status, body, _ := c.ask("GET", path, nil)
	if status != http.StatusOK {
		t.Fatalf("%s: %d", path, status)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?s)<li class="chip saved">(.*?)</li>`).FindAllStringSubmatch(body, -1) {
		name := regexp.MustCompile(`<a[^>]*>([^<]*)`).FindStringSubmatch(m[1])[1]
		name = strings.TrimSpace(name)
		if strings.Contains(m[1], ">shared<") {
			name += ", shared"
		}
		if strings.Contains(m[1], "×") {
			name += " ×"
		}
		names = append(names, name)
	}
	return strings.Join(names, "; ")
}

func TestASavedSearchIsOnesOwnOrSharedWithTheTeam(t *testing.T) {
	h := newHouse(t)
	ann, hal := h.client(t, "owner", ""), h.client(t, "helpdesk", "")
	const trace = "/t/acme/trace"
	save := func(who *client, name, query string, shared bool) int {
		form := url.Values{"page": {"trace"}, "name": {name}, "query": {query}}
		if shared {
			form.Set("shared", "yes")
		}
		status, _, _ := who.ask("POST", "/t/acme/filters", form)
		return status
	}
	sees := func(who *client, want string) {
		t.Helper()
		if got := who.savedNames(t, trace); got != want {
			t.Errorf("saved searches are %q, want %q", got, want)
		}
	}
	if status := save(hal, "Mine", "q=invoice+from%3Aeve", false); status != http.StatusSeeOther {
		t.Fatalf("saved: %d", status)
	}
	sees(hal, "Mine ×")
	sees(ann, "")
	if got := hal.savedNames(t, "/t/acme/quarantine"); got != "" {
		t.Errorf("on the other page there is %q", got)
	}
	if got := hal.savedNames(t, "/t/beta/trace"); got != "" {
		t.Errorf("at the other tenant there is %q", got)
	}
	if status := save(hal, "Ours", "q=verdict%3Aphish", true); status == http.StatusSeeOther {
		t.Errorf("a helpdesk shares a search: %d", status)
	}
	sees(ann, "")
	save(ann, "Ours", "q=verdict%3Aphish", true)
	sees(ann, "Ours, shared ×")
	sees(hal, "Mine ×; Ours, shared")

	_, body, _ := hal.ask("GET", trace+"?q=verdict%3Aphish", nil)
	if !strings.Contains(body, `href="?q=verdict%3Aphish" aria-current="true">Ours`) {
		t.Error("the search that is shown is not marked among the saved ones")
	}
	save(hal, "Mine", "q=receipt", false) // the name is taken over
	sees(hal, "Mine ×; Ours, shared")
	if _, body, _ = hal.ask("GET", trace, nil); !strings.Contains(body, `href="?q=receipt">Mine`) {
		t.Error("saved again under the same name, it is the former search")
	}

	remove := func(who *client, name string, shared ...string) int {
		status, _, _ := who.ask("POST", "/t/acme/filters/remove", url.Values{"page": {"trace"}, "name": {name}, "shared": shared})
		return status
	}
	if status := remove(hal, "Ours", "yes"); status == http.StatusSeeOther {
		t.Errorf("a helpdesk removes what is shared: %d", status)
	}
	remove(ann, "Mine")
	sees(hal, "Mine ×; Ours, shared")
	remove(hal, "Mine")
	remove(ann, "Ours", "yes")
	sees(hal, "")
	for name, query := range map[string]string{"": "q=x", strings.Repeat("n", 61): "q=x", "nothing": ""} {
		save(hal, name, query, false)
	}
	sees(hal, "")
}

func TestNoQueryStandsInAnAddressAsOneValue(t *testing.T) {
	whole := regexp.MustCompile(`="[^"{]*(\{\{[^}]*\}\}[^"{]*)?\?\{\{[^}]*`)
	files, err := filepath.Glob("templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, file := range files {
		for _, found := range whole.FindAllString(read(t, file), -1) {
			if !strings.Contains(found, "?{{query ") {
				t.Errorf("%s: %s: its = and & would be escaped; write ?{{query …}}", file, found)
			}
		}
	}
}
