package content

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// adder keeps a finding about a message's shape.
type adder func(rule string, score int, format string, a ...any)

// shape judges how a message is made instead of what it says: what tools for
// sending spam leave, and programs that people write mail with do not.
func shape(msg *mail.Message, about scan.About, h *hearing) []mail.Finding {
	var found []mail.Finding
	add := func(rule string, score int, format string, a ...any) {
		found = append(found, mail.Finding{Rule: "content.shape." + rule, Class: mail.Spam, Score: score, Detail: fmt.Sprintf(format, a...)})
	}
	subject(msg, add)
	author(msg, about, add)
	fields(msg, add)
	client(about, add)
	page(msg, h, add)
	return found
}

// subject judges the way a subject is written.
func subject(msg *mail.Message, add adder) {
	s := msg.Subject
	letters, upper := 0, 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
			if unicode.IsUpper(r) {
				upper++
			}
		}
	}
	if letters >= 10 && upper*10 >= letters*9 {
		add("subject.capitals", 12, "The subject is written in capitals.")
	}
	if strings.Contains(s, "$$") || strings.Count(s, "!") >= 2 || strings.Contains(s, "***") {
		add("subject.loud", 12, "The subject shouts.")
	}
	low := strings.ToLower(s)
	if strings.HasPrefix(low, "adv:") || strings.HasPrefix(low, "adv ") || strings.HasSuffix(low, " adv:") || strings.HasSuffix(low, "(adv)") || strings.HasPrefix(low, "adv.") {
		add("subject.adv", 50, "The subject is marked as an advertisement (ADV).")
	}
	words := strings.Fields(s)
	if len(words) > 2 && scrambled(words[len(words)-1]) {
		add("subject.tail", 25, "The subject ends with a mark (%s) that tells copies of the same message apart.", scan.Quote(words[len(words)-1]))
	}
	if rawOctets(msg.Header, "Subject") {
		add("subject.raw", 20, "The subject holds characters that no header may hold.")
	}
	styled(s, "subject", "The subject", add)
}

// scrambled reports whether a word is a random mark: letters and digits mixed, or
// capitals that no word has.
func scrambled(w string) bool {
	w = strings.Trim(w, "[](){}<>#.,;:!?*-")
	if len(w) < 4 || len(w) > 40 {
		return false
	}
	letters, digits, changes, vowels, upper := 0, 0, 0, 0, 0
	last := 0
	for i := range len(w) {
		c := w[i]
		kind := 0
		switch {
		case c >= '0' && c <= '9':
			digits++
			kind = 1
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			letters++
			kind = 2
			if c < 'a' {
				upper++
				kind = 3
			}
			if strings.IndexByte("aeiouyAEIOUY", c) >= 0 {
				vowels++
			}
		case c == '-' || c == '_':
		default:
			return false
		}
		if last != 0 && kind != last {
			changes++
		}
		last = kind
	}
	switch {
	case digits >= 1 && letters >= 2 && changes >= 4:
		return true
	case digits == 0 && len(w) >= 5 && upper == letters && vowels*6 <= letters: // ONCXBV
		return true
	}
	return false
}

// styled judges letters that are drawn as symbols, and signs in front of a text:
// both are there to catch the eye and to be no words to a filter.
func styled(s, rule, what string, add adder) {
	drawn, signs, swapped := 0, 0, 0
	var last rune
	for i, r := range s {
		switch {
		case r >= 0x1d400 && r <= 0x1d7ff || r >= 0xff21 && r <= 0xff5a || r >= 0x24b6 && r <= 0x24e9 || r >= 0x1f130 && r <= 0x1f189:
			drawn++
		case i < 12 && (r >= 0x2190 && r <= 0x21ff || r >= 0x2300 && r <= 0x23ff || r >= 0x2460 && r <= 0x25ff || r >= 0x2600 && r <= 0x26ff && r == last || r >= 0x2768 && r <= 0x27ff || r >= 0x2900 && r <= 0x2bff && r != 0x2b50 && r != 0x2b55 || r >= 0x1100 && r <= 0x11ff || r >= 0x3130 && r <= 0x318f && r == last):
			signs++
		case r == 'I' && last|0x20 >= 'a' && last|0x20 <= 'z':
			// "InIand", "CIub", not "PayID" or "TechInfo"
			if next, _ := utf8.DecodeRuneInString(s[i+1:]); strings.ContainsRune("aeouy", next) {
				swapped++
			}
		case (r == 'O' || r == 'o') && last >= '0' && last <= '9':
			if next, _ := utf8.DecodeRuneInString(s[i+1:]); next == 'O' || next == 'o' || next == '.' || next >= '0' && next <= '9' {
				swapped++
			}
		}
		last = r
	}
	switch {
	case drawn >= 3:
		add("styled."+rule, 50, "%s is drawn with symbols instead of letters, so that filters shall not read it.", what)
	case signs >= 2:
		add("signs."+rule, 30, "%s begins with a row of signs.", what)
	}
	if swapped > 0 {
		add("swapped."+rule, 30, "%s has letters and digits put for others that look like them, so that filters shall not read it.", what)
	}
	if strings.Count(s, "_") >= 2 && !strings.Contains(s, "://") && !strings.Contains(s, ".") && wordsJoined(s) {
		add("joined."+rule, 15, "%s has words joined by underscores.", what)
	}
}

// wordsJoined reports whether two underscores stand between small words.
func wordsJoined(s string) bool {
	for w := range strings.FieldsSeq(s) {
		parts := strings.Split(w, "_")
		n := 0
		for _, p := range parts {
			if len(p) >= 2 && len(p) <= 14 && !strings.ContainsAny(p, "0123456789()/=") {
				n++
			}
		}
		if n >= 2 && n == len(parts) {
			return true
		}
	}
	return false
}

// author judges the sender's address as a name somebody chose.
func author(msg *mail.Message, about scan.About, add adder) {
	if len(msg.From) == 0 {
		return
	}
	from := msg.From[0]
	local, _ := mail.SplitAddress(from.Addr)
	domain := mail.DomainOf(from.Addr)
	styled(from.Name, "sender's name", "The sender's name", add)
	if rawOctets(msg.Header, "From") {
		add("from.raw", 15, "The sender's name holds characters that no header may hold.")
	}
	if i := strings.LastIndexByte(domain, '.'); i > 0 && cheap[domain[i+1:]] && !scan.Within(domain, about.Protected) {
		add("from.cheap", 25, "The sender's domain (%s) is under an ending that is used for mischief more than for anything else.", domain)
	}
	if strings.HasSuffix(domain, ".onmicrosoft.com") {
		add("from.onmicrosoft", 25, "The sender uses the address that every new Microsoft 365 tenant gets (%s) instead of a domain of its own.", domain)
	}
	if len(local) >= 26 && !strings.ContainsAny(local, "0123456789.=+-_@/") {
		add("from.long", 25, "The sender's address is a row of words without meaning.")
	}
	if digitsAmong(local) {
		add("from.random", 25, "The sender's address looks made up by a program.")
	}
	if name := strings.TrimSpace(from.Name); name != "" {
		if w := strings.Fields(name); len(w) > 1 && scrambled(w[len(w)-1]) {
			add("from.tail", 25, "The sender's name ends with a mark that tells copies of the same message apart.")
		}
	}
}

// cheap are top-level domains in which far more mischief than honest mail lives.
var cheap = func() map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(`top xyz icu click buzz cyou rest sbs cfd bond monster quest autos beauty hair makeup lol mom pics skin boats yachts motorcycles homes
		gq cf ga ml tk cam work support loan win bid trade date stream download racing review party science accountant cricket faith men gdn kim surf
		shop store space site online website forum express delivery blog live fun uno bar vip club life world today best wiki press host pw cc ws`) {
		m[w] = true
	}
	return m
}()

// digitsAmong reports whether letters and digits alternate as nobody chooses
// them.
func digitsAmong(local string) bool {
	if len(local) < 8 || strings.ContainsAny(local, "=+-_./") {
		return false
	}
	changes, digits := 0, 0
	for i := range len(local) {
		isDigit := local[i] >= '0' && local[i] <= '9'
		if isDigit {
			digits++
		}
		if i > 0 && isDigit != (local[i-1] >= '0' && local[i-1] <= '9') {
			changes++
		}
	}
	return changes >= 4 || digits >= 4 && changes >= 1 && digits < len(local)-1
}

// fields judges which header fields are there.
func fields(msg *mail.Message, add adder) {
	if msg.Bulk || msg.AutoReply {
		return
	}
	if msg.Header.First("Message-ID") == "" {
		add("no.message-id", 15, "It has no Message-ID, which every mail program writes.")
	}
	if msg.Header.First("Date") == "" {
		add("no.date", 10, "It has no Date, which every mail program writes.")
	}
	if len(msg.To) == 0 {
		add("no.recipient", 8, "It does not say to whom it is.")
	}
}

// rawOctets reports whether a field holds octets that are no ASCII and no UTF-8.
func rawOctets(h mail.Header, name string) bool {
	for _, f := range h {
		if f.Is(name) && !utf8.Valid(f.Raw) {
			return true
		}
	}
	return false
}

// client judges how the sender's server introduced itself.
func client(about scan.About, add adder) {
	origin := about.Auth.Origin
	helo := strings.ToLower(strings.Trim(origin.HELO, "[]"))
	if helo == "" || origin.Internal {
		return
	}
	d, err := mail.FoldDomain(helo)
	switch {
	case err == nil && scan.Within(d, about.Domains):
		add("helo.ours", 40, "The sender's server introduced itself with your own domain (%s).", helo)
	case origin.IP.IsValid() && helo == origin.IP.String():
		add("helo.address", 20, "The sender's server introduced itself by nothing but its address.")
	case !strings.Contains(helo, "."):
		add("helo.short", 15, "The sender's server introduced itself with a name that is no domain (%s).", scan.Quote(helo))
	}
}

// maxPage is how much of one web page is looked at.
const maxPage = 64 << 10

// page judges how the HTML of a message is made.
func page(msg *mail.Message, h *hearing, add adder) {
	for i := range msg.Parts {
		p := &msg.Parts[i]
		if p.Type != "text/html" || p.Name != "" || p.Disposition == "attachment" {
			continue
		}
		d := p.Data[:min(len(p.Data), maxPage)]
		if n := splitWords(d); n >= 4 {
			add("html.comments", 40, "The text is broken up by hidden comments, so that filters shall not read it.")
		}
		if len(msg.Parts) == 1 && !msg.Bulk && h.size < 200 && bytes.Contains(d, []byte("<img")) && len(msg.Links) > 0 {
			add("html.picture", 25, "It consists of a linked picture and hardly any text.")
		}
		return
	}
}

// splitWords counts comments and empty tags within words.
func splitWords(d []byte) int {
	n := 0
	for pos := 0; ; {
		i := bytes.Index(d[pos:], []byte("<!"))
		if i < 0 {
			return n
		}
		at := pos + i
		end := bytes.IndexByte(d[at:], '>')
		if end < 0 {
			return n
		}
		after := at + end + 1
		if at > 0 && after < len(d) && isLetter(d[at-1]) && isLetter(d[after]) {
			n++
		}
		pos = after
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
