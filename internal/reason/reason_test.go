package reason

import (
	"strings"
	"testing"
)

func TestSay(t *testing.T) {
	for _, tt := range []struct{ name, lang, english, want string }{
		{"a sentence without values", "de", "The subject shouts.", "Der Betreff schreit."},
		{"values keep their places", "fr", "A link shows bank.example, but leads to evil.test.", "Un lien affiche bank.example, mais mène à evil.test."},
		{"quotation marks are the language's", "de", "The name shown is “Ann”, but the sender is a@evil.test.", "Der angezeigte Name ist „Ann“, der Absender aber a@evil.test."},
		{"a name that plays the sentence's part stays a name", "de", "The name shown is “B, of your own domain, but the sender is c@own.example.”, but the sender is a@evil.test.",
			"Der angezeigte Name ist „B, of your own domain, but the sender is c@own.example.“, der Absender aber a@evil.test."},
		{"a sentence in a sentence", "es", "The file “a.js” within “b.zip” is a script (.js), which runs or opens something on the reader's machine when it is clicked.",
			"El archivo «a.js» dentro de «b.zip» es un script (.js): un clic ejecuta o abre algo en el equipo del destinatario."},
		{"a list", "de", "The document “x.doc” contains a macro that runs by itself (autoopen) and starts programs, downloads files and hides its calls.",
			"Das Dokument „x.doc“ enthält ein Makro, das von selbst läuft (autoopen) und Folgendes tut: startet Programme, lädt Dateien herunter und verbirgt seine Aufrufe."},
		{"numbers as they are written there", "de", "The parts hold more than 104857600 octets together; the rest was not kept.", "Die Teile haben zusammen mehr als 104\u00a0857\u00a0600 Byte; der Rest wurde nicht behalten."},
		{"fractions too", "fr", "rspamd gives it 12.5 of 15.0 points (add header), mostly for BAYES_SPAM 5.1.", "rspamd lui donne 12,5 points sur 15,0 (add header), surtout pour BAYES_SPAM 5.1."},
		{"what Go quoted", "fr", `The check "clamd" could not look at this message (its time was used up), so nothing is known of what it would have found.`,
			`Le contrôle "clamd" n'a pas pu examiner ce message (son temps était écoulé) ; on ignore ce qu'il aurait trouvé.`},
		{"an event", "de", "phish: The name shown is “Ann”, but the sender is a@evil.test.", "Phishing: Der angezeigte Name ist „Ann“, der Absender aber a@evil.test."},
		{"English stays", "en", "The subject shouts.", "The subject shouts."},
	} {
		if got, ok := Say(tt.lang, tt.english); got != tt.want || !ok {
			t.Errorf("%s: got %q %v, want %q", tt.name, got, ok, tt.want)
		}
	}
}

func TestWhatIsNotKnownStaysEnglishAndSaysSo(t *testing.T) {
	for _, english := range []string{"", "Nobody ever said this.", "The name shown is “Ann", "note: something else", "250 2.0.0 queued, thank you", strings.Repeat("The name shown is “", 200)} {
		if got, ok := Say("de", english); ok || got != english {
			t.Errorf("%q became %q %v", english, got, ok)
		}
	}
	if got, ok := Say("xx", "The subject shouts."); ok || got != "The subject shouts." {
		t.Errorf("a language that nobody knows: %q %v", got, ok)
	}
}

// FuzzSay: whatever a message quotes, nothing breaks, and no value is lost.
func FuzzSay(f *testing.F) {
	f.Add("Ann", "evil.test")
	f.Add("“”, but the sender is ", "%s %d")
	f.Fuzz(func(t *testing.T, name, addr string) {
		if strings.ContainsAny(name, "“”") || addr == "" || name == "" {
			t.Skip()
		}
		s, ok := Say("de", "The name shown is “"+name+"”, but the sender is “"+addr+"”.")
		if !ok || !strings.Contains(s, name) {
			t.Errorf("%q", s)
		}
	})
}

func BenchmarkSay(b *testing.B) {
	for b.Loop() {
		Say("de", "The name shown is “Ann Example”, but the sender is a@evil.test.")
	}
}
