// Package attachment judges files by what they are: their names, what their
// content shows them to be, whether the two agree, and whether they could be
// opened at all. It looks into no document; that is macro's work.
package attachment

import (
	"context"
	"fmt"
	"path"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// Scanner looks at every part. The zero value works.
type Scanner struct{}

// Name is part of scan.Scanner.
func (*Scanner) Name() string { return "attachment" }

// Scan is part of scan.Scanner.
func (*Scanner) Scan(ctx context.Context, msg *mail.Message, _ scan.About) ([]mail.Finding, error) {
	var found []mail.Finding
	members := countMembers(msg.Parts)
	for i := range msg.Parts {
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		f := newFile(&msg.Parts[i], members)
		found = append(found, f.names()...)
		found = append(found, f.kind()...)
		found = append(found, f.disguise()...)
		found = append(found, f.locked(msg)...)
		found = append(found, f.unopened()...)
		found = append(found, f.active()...)
	}
	return found, nil
}

// file is a part with what several checks need of it.
type file struct {
	*mail.Part
	exts    []string // last extension of each name a client could show, lower case, without the dot
	really  content
	within  int  // archives around it
	few     bool // its archive holds no more than fewMembers files
	letters bool // it is the message's own text, not a file
}

// fewMembers is how many files an archive made to carry one bad file has.
const fewMembers = 3

func newFile(p *mail.Part, members map[string]int) *file {
	f := &file{Part: p, really: sniff(p)}
	for _, n := range append([]string{p.Name}, p.Names...) {
		if e := extension(n); e != "" {
			f.exts = append(f.exts, e)
		}
	}
	parent := p.Path
	for {
		up := path.Dir(parent)
		if up == "." || up == "/" || up == parent {
			break
		}
		parent = up
		if isArchive(extension(path.Base(parent))) || path.Dir(parent) == "." {
			f.within++
		}
	}
	if i := strings.IndexByte(p.Path, '/'); i >= 0 {
		f.few = members[p.Path[:i]] <= fewMembers
	}
	f.letters = p.Name == "" && p.Disposition != "attachment" && strings.HasPrefix(p.Type, "text/") && f.within == 0
	return f
}

// countMembers counts the parts that were unpacked from each part of the message
// itself.
func countMembers(parts []mail.Part) map[string]int {
	n := make(map[string]int)
	for i := range parts {
		if top, _, ok := strings.Cut(parts[i].Path, "/"); ok {
			n[top]++
		}
	}
	return n
}

// extension is the last extension of name as Windows sees it: trailing dots and
// blanks do not count, an alternate stream is cut off.
func extension(name string) string {
	name = strings.TrimRight(clear(name), ". \t")
	if i := strings.IndexByte(name, ':'); i > 1 {
		name = name[:i]
	}
	i := strings.LastIndexByte(name, '.')
	if i < 0 || strings.ContainsAny(name[i+1:], "/\\") {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(name[i+1:]))
}

// clear is name without characters that show nothing, in the order of its
// octets, which is how the system that opens the file reads it.
func clear(name string) string {
	return strings.Map(func(r rune) rune {
		if zeroWidth(r) || bidi(r) || r < ' ' {
			return -1
		}
		return r
	}, name)
}

// title is how a finding calls the file.
func (f *file) title() string {
	name := f.Name
	if name == "" {
		name = path.Base(f.Path)
	}
	if top, inner, ok := strings.Cut(f.Path, "/"); ok && top != "" {
		return fmt.Sprintf("The file %s within %s", scan.Quote(path.Base(inner)), scan.Quote(firstName(inner)))
	}
	return fmt.Sprintf("The attachment %s", scan.Quote(name))
}

func firstName(inner string) string {
	first, _, _ := strings.Cut(inner, "/")
	return first
}

// finding is one about the file; format's first value is its title.
func (f *file) finding(rule string, class mail.Verdict, score int, format string, a ...any) []mail.Finding {
	return []mail.Finding{{Rule: "attachment." + rule, Class: class, Score: score, Detail: fmt.Sprintf(format, append([]any{f.title()}, a...)...), Where: f.Path}}
}

// names judges by extension.
func (f *file) names() []mail.Finding {
	if f.letters {
		return nil
	}
	for _, e := range f.exts {
		k, bad := dangerous[e]
		if !bad || e == "com" && !f.mayBeProgram() {
			continue
		}
		score := k.score
		switch {
		case f.within > 0 && !f.few && k.script:
			score = 20 // source code is sent in archives with much else
		case f.within > 0 && f.few && k.class == mail.Malware:
			score = min(score+10, 100) // packed so that filters shall not see it
		}
		return f.finding("type."+k.name, k.class, score, "%s is %s (.%s), which runs or opens something on the reader's machine when it is clicked.", k.what, e)
	}
	return nil
}

// mayBeProgram tells a program called x.com from a file named after a web site.
func (f *file) mayBeProgram() bool {
	return f.really != textual && f.really != markup && f.Size < 64<<10+1
}

// kind judges by content.
func (f *file) kind() []mail.Finding {
	switch f.really {
	case program:
		if named(f.exts, "exe", "dll", "scr", "com", "sys", "cpl", "ocx", "xll", "pif") && f.known() {
			return f.finding("content.program", mail.Malware, 30, "%s really is a program.")
		}
		return f.finding("content.program", mail.Malware, 90, "%s is a program, though its name (%s) does not say so.", extensionOrNone(f.exts))
	case shortcut:
		return f.finding("content.shortcut", mail.Malware, 70, "%s is a Windows shortcut, which can run any command when it is opened.")
	case help:
		return f.finding("content.help", mail.Malware, 60, "%s is a compiled help file, which can run programs when it is opened.")
	case oneNote:
		return f.finding("content.onenote", mail.Suspicious, 60, "%s is a OneNote section; attackers hide programs behind pictures in them.")
	case disk:
		return f.finding("content.disk", mail.Suspicious, 60, "%s is a disk image; files in it lose the mark that they came from the Internet.")
	case java:
		return f.finding("content.java", mail.Malware, 60, "%s is a Java program.")
	case script:
		if len(f.exts) == 0 || !named(f.exts, "sh", "bash", "pl", "py", "rb", "txt", "patch", "diff", "cgi", "awk", "in") {
			return f.finding("content.script", mail.Suspicious, 20, "%s is a script.")
		}
	}
	return nil
}

// known reports whether names already found a dangerous type.
func (f *file) known() bool {
	for _, e := range f.exts {
		if _, bad := dangerous[e]; bad {
			return true
		}
	}
	return false
}

func extensionOrNone(exts []string) string {
	if len(exts) == 0 {
		return "without an extension"
	}
	return "." + exts[0]
}

func named(exts []string, any ...string) bool {
	for _, e := range exts {
		for _, a := range any {
			if e == a {
				return true
			}
		}
	}
	return false
}

// locked judges what needs a password.
func (f *file) locked(msg *mail.Message) []mail.Finding {
	if !f.Encrypted || sealed(f.Type) || named(f.exts, "asc", "pgp", "gpg", "p7m") {
		return nil // encrypted for the reader's own key: S/MIME and PGP
	}
	archive := f.Container == "zip" || f.Container == "7z" || f.Container == "rar"
	told := tellsPassword(msg.Text)
	switch {
	case archive && told:
		return f.finding("encrypted.password", mail.Suspicious, 80, "%s is an encrypted archive, so that nobody but its reader can look into it, and the message itself tells the password: a common way to bring malware past filters.")
	case told:
		return f.finding("encrypted.password", mail.Suspicious, 80, "%s is encrypted, so that nobody but its reader can look into it, and the message itself tells the password: a common way to bring malware past filters.")
	case archive:
		return f.finding("encrypted", mail.Suspicious, 60, "%s is an encrypted archive, so that its content could not be checked.")
	}
	return f.finding("encrypted", mail.Suspicious, 60, "%s is encrypted, so that its content could not be checked.")
}

func sealed(mediaType string) bool {
	switch mediaType {
	case "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted", "multipart/encrypted", "application/pgp":
		return true
	}
	return false
}

// passwordWords are what people call it, as scan.Fold gives them.
var passwordWords = []string{"password", "passwort", "kennwort", "passcode", "passwd", "pass code", "mot de passe", "contrasena", "clave de", "wachtwoord", "parola d'ordine", "senha", "pwd:", "pw:"}

func tellsPassword(text string) bool {
	folded := scan.Fold(text[:min(len(text), 256<<10)])
	for _, w := range passwordWords {
		if strings.Contains(folded, w) {
			return true
		}
	}
	return false
}

// unopened judges archives of kinds that parse cannot unpack, and archives in
// archives.
func (f *file) unopened() []mail.Finding {
	if f.really == strangeArchive || f.Container == "" && named(f.exts, strangeArchives...) && f.really != textual {
		return f.finding("archive.unsupported", mail.Suspicious, 50, "%s is an archive of a kind that could not be unpacked, so its content was not checked.")
	}
	if f.Container == "" && !f.Encrypted && f.really == zipped && named(f.exts, "zip", "7z", "rar") && f.Truncated {
		return f.finding("archive.limit", mail.Suspicious, 50, "%s is an archive too large to be unpacked, so its content was not checked.")
	}
	if f.within >= 3 && f.Container != "" && isArchive(f.Container) {
		return f.finding("archive.nested", mail.Suspicious, 30, "%s is packed into %d archives, one in the other.", f.within)
	}
	return nil
}

// isArchive reports whether a Part.Container or an extension is an archive that
// people pack files into.
func isArchive(kind string) bool {
	switch kind {
	case "zip", "7z", "rar", "tar", "gzip", "gz", "tgz", "xz", "zstd", "zst", "bzip2", "bz2", "iso", "img", "cab", "jar", "lzh", "ace", "arj", "z":
		return true
	}
	return false
}
