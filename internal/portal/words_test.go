package portal

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/exchange/guide"
	"postern/internal/mail"
)

// said are the ways in which a sentence gets into a page.
var said = []*regexp.Regexp{
	regexp.MustCompile(`\.T \(?("(?:[^"\\]|\\.)*")`),
	regexp.MustCompile(`(?:words\.T|\bw\.T|\bt)\(("(?:[^"\\]|\\.)*")`),
	regexp.MustCompile(`mail\.Say\(("(?:[^"\\]|\\.)*")`),
	regexp.MustCompile(`\bbadSpec\(("(?:[^"\\]|\\.)*")`),
	regexp.MustCompile(`mail\.Refuse\(("(?:[^"\\]|\\.)*")`),
	regexp.MustCompile(`s\.loop\(("(?:[^"\\]|\\.)*")`),
	regexp.MustCompile(`p\.shell\(r, v, ("[^"]*")\)`),
	regexp.MustCompile(`problem\{[^,]*, ("[^"]*")\}`),
	regexp.MustCompile(`why = ("[^"]+")`),
	regexp.MustCompile(`noTLS = ("[^"]+")`),
	regexp.MustCompile(`text := http.StatusInternalServerError, ("[^"]+")`),
}

// dynamic are words that stand in values, and sentences of admin that pages say.
var dynamic = strings.Fields("owner security-admin helpdesk auditor user clean bulk unjudged suspicious spam phish malware judged delivered held dropped returned connect apply rollback protection enable-protection critical warning info Mail Policies Administration hold deliver drop defer")

func sentences(t *testing.T) []string {
	t.Helper()
	keys := slices.Clone(dynamic)
	keys = append(keys, mail.Moment, mail.Date, "Messages cannot be judged: %s.", "My mail", "being judged", "on its way", "not judged yet", "Inbound Management", "messages in 24 hours", "phishing and malware", "held now, of these", "on their way",
		"same sender's domain", "like subject", "link to the same host", "same attachment",
		"The address or the password is not right.", "This code is not right, or it was used before: wait for the next one and enter it.",
		"Anybody can get an address there, so this lets anybody through. Allow single addresses instead.",
		"Many private people write from there, and all of them would be held.",
		"Without proof anybody can write in this sender's name and is let through.",
		"This lets through whatever comes from more than 256 addresses. Allow the sender's domain instead.",
		"This token is not right, was used before, or has ended.", "Too many sign-ins failed: wait some minutes, then try again.")
	for _, scope := range admin.Scopes() {
		keys = append(keys, scope.Explain)
	}
	keys = append(keys, signInSentences()...)
	keys = append(keys, guideSentences()...)
	for _, refused := range regexp.MustCompile(`(?m)"([A-Z][^"]* [^"]*)"`).FindAllStringSubmatch(read(t, "../exchange/signin/codes.go")+read(t, "../exchange/signin/explain.go"), -1) {
		keys = append(keys, refused[1])
	}
	for _, m := range regexp.MustCompile(`\bsay\("([^"]*)"`).FindAllStringSubmatch(read(t, "../notice/letter.go"), -1) {
		keys = append(keys, m[1])
	}
	dir := os.DirFS("../..")
	for _, pattern := range []string{"internal/portal/*.go", "internal/portal/templates/*.html", "internal/report/*.go", "internal/admin/*.go", "internal/exchange/*.go", "internal/exchange/signin/*.go", "internal/relay/deliver/*.go", "internal/provider/*.go", "internal/guard/*.go", "internal/replay/*.go", "internal/notice/*.go", "internal/relay/allowance.go", "internal/relay/own.go", "internal/relay/send.go", "internal/relay/quarantine/*.go", "cmd/postern/health.go", "cmd/postern/look.go", "cmd/postern/notices.go", "cmd/postern/watch.go", "cmd/postern/certificates.go"} {
		files, err := fs.Glob(dir, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			b, err := fs.ReadFile(dir, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, re := range said {
				for _, m := range re.FindAllStringSubmatch(string(b), -1) {
					key, err := strconv.Unquote(m[1])
					if err != nil {
						t.Fatalf("%s: %s", file, m[1])
					}
					if strings.Contains(re.String(), "Refuse") || strings.Contains(re.String(), "badSpec") {
						key = mail.Told(mail.Refuse(key, nil)).Format
					}
					keys = append(keys, key)
				}
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// guideSentences are those of every guide that there can be.
func guideSentences() (keys []string) {
	some := []string{"x"}
	for _, p := range []guide.Plan{{}, {CertBound: true, Organization: true, Word: "yes", Internal: true, SafeList: true},
		{Domains: some, Word: "x", Key: "x", ArcSealer: "x", OutboundRule: "x", Portal: "x", Strip: []guide.Strip{{}}, RedirectRules: []guide.Rule{{}, {}}}} {
		for _, s := range guide.Steps(p) {
			for _, say := range append(s.Do, s.Section, s.Title, s.Where, s.Note) {
				keys = append(keys, say.Format)
			}
			for _, v := range s.Values {
				keys = append(keys, v.Label.Format)
			}
		}
	}
	return slices.DeleteFunc(keys, func(k string) bool { return k == "" || k == "%s" })
}

func TestEveryLanguageSaysEverything(t *testing.T) {
	keys := sentences(t)
	if len(keys) < 400 {
		t.Fatalf("only %d sentences were found", len(keys))
	}
	verbs := regexp.MustCompile(`%[a-z]`)
	for _, tongue := range tongues() {
		w := dictionary[tongue.Code]
		for _, key := range keys {
			s, ok := w.say[key]
			if !ok || s == "" {
				t.Errorf("%s lacks %q", tongue.Code, key)
				continue
			}
			if !slices.Equal(verbs.FindAllString(s, -1), verbs.FindAllString(key, -1)) {
				t.Errorf("%s: %q has other values than %q", tongue.Code, s, key)
			}
			if tongue.Code == "en" && s != key {
				t.Errorf("en says %q for %q", s, key)
			}
		}
		for key := range w.say {
			if !slices.Contains(keys, key) {
				t.Errorf("%s has %q, which nobody says", tongue.Code, key)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAlarmsAreToldInTheReadersLanguage(t *testing.T) {
	until := time.Date(2026, 11, 2, 15, 4, 0, 0, time.UTC)
	for _, tt := range []struct {
		alarm mail.Sentence
		want  string
	}{
		{mail.Say("Mail is delivered whatever its verdict until %s: %s switched the bypass on (%s).", until, "ann@acme.example", "test"),
			"E-Mails werden bis 2.11.2026, 15:04 UTC ungeachtet ihres Urteils zugestellt: ann@acme.example hat die Umgehung eingeschaltet (test)."},
		{mail.Say("A limit of this tenant is reached: %s. New mail is put off (4xx); its senders keep it and come again.", mail.Say("more than %d messages an hour", 60)),
			"Eine Grenze dieser Organisation ist erreicht: mehr als 60 Nachrichten in der Stunde. Neue E-Mails werden aufgeschoben (4xx); ihre Absender behalten sie und kommen wieder."},
		{mail.Say("The message carries different relay keys. Only one can come from Exchange, so where it came from cannot be told."),
			dictionary["de"].Told("The message carries different relay keys. Only one can come from Exchange, so where it came from cannot be told.").Text},
		{mail.Say("Kept by a former release."), "Kept by a former release."},
	} {
		if got := Letters("de").Alarm(tt.alarm); got != tt.want || strings.HasPrefix(got, "The ") {
			t.Errorf("%s is told as\n%s, want\n%s", tt.alarm, got, tt.want)
		}
	}
}
