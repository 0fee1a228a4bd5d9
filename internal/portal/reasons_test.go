package portal

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

var english = regexp.MustCompile(`<span class="small soft" lang="en">[^<]*</span>`)

// A held message is explained in the language of whoever reads: the people who run
// the portal, in every list and on its page, and its recipient.
func TestReasonsAreInTheReadersLanguage(t *testing.T) {
	h := newHouse(t)
	m := &store.Message{ID: mail.NewID(), Tenant: "acme", Octets: []byte("x"), Subject: "A question", From: "ben@evil.test",
		Recipients: []store.Recipient{{Addr: "ann@acme.example", Domain: "acme.example"}}}
	if err := h.Store.Accept(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	name := "The name shown is “Ann <b>Example</b>”, but the sender is ben@evil.test."
	link := "A link shows bank.example, but leads to evil.test."
	_, err := h.Store.Advance(t.Context(), store.Change{Message: m.ID, Tenant: "acme", State: mail.Held, ExpiresAt: time.Now().Add(24 * time.Hour),
		Judgement: &mail.Judgement{Findings: []mail.Finding{{Rule: "sender.name.protected", Score: 60, Class: mail.Phish, Detail: name}, {Rule: "link.text", Score: 25, Class: mail.Phish, Detail: link}}},
		Decision:  &mail.Decision{Verdict: mail.Phish, Action: mail.Hold, Score: 85, Reasons: []string{name, link, "An operator's own words."}},
		Events:    []store.Event{{At: time.Now(), State: mail.Held, Text: "phish: " + name}}})
	if err != nil {
		t.Fatal(err)
	}
	owner := h.client(t, "owner", "")
	ann := h.recipient(t, ownServer(t, h).URL, "acme", "ann@acme.example")
	for lang, want := range map[string][2]string{
		"de": {"Der angezeigte Name ist „Ann &lt;b&gt;Example&lt;/b&gt;“, der Absender aber ben@evil.test.", "Ein Link zeigt bank.example, führt aber zu evil.test."},
		"fr": {"Le nom affiché est «\u00a0Ann &lt;b&gt;Example&lt;/b&gt;\u00a0», mais l&#39;expéditeur est ben@evil.test.", "Un lien affiche bank.example, mais mène à evil.test."},
		"es": {"El nombre mostrado es «Ann &lt;b&gt;Example&lt;/b&gt;», pero el remitente es ben@evil.test.", "Un enlace muestra bank.example, pero lleva a evil.test."},
	} {
		read := func(c *client, path string, wants ...string) {
			t.Helper()
			status, body, _ := c.ask(http.MethodGet, path, nil, "Accept-Language", lang)
			if status != http.StatusOK {
				t.Fatalf("%s in %s: %d", path, lang, status)
			}
			for _, w := range wants {
				if !strings.Contains(body, w) {
					t.Errorf("%s in %s lacks %q", path, lang, w)
				}
			}
			body = english.ReplaceAllString(body, "") // below each finding, for the search
			if strings.Contains(body, "The name shown is") || strings.Contains(body, "A link shows") {
				t.Errorf("%s in %s has an English reason", path, lang)
			}
		}
		id := string(m.ID) + ".0"
		read(owner, "/t/acme/quarantine", want[0])
		read(owner, "/t/acme/mail/"+id, want[0], want[1], `<span lang="en">An operator&#39;s own words.</span>`)
		read(ann, "/mail/"+id, want[0], want[1], `<span lang="en">An operator&#39;s own words.</span>`)
	}
}
