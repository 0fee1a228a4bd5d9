package attachment

import (
	"bytes"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

func bidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

func zeroWidth(r rune) bool {
	return r >= 0x200b && r <= 0x200d || r == 0x2060 || r == 0xfeff || r == 0xad || r == 0x180e
}

// disguise judges names that show something else than the file is.
func (f *file) disguise() []mail.Finding {
	if f.letters {
		return nil
	}
	var found []mail.Finding
	for _, n := range append([]string{f.Name}, f.Names...) {
		if d := f.nameTrick(n); d != nil {
			found = append(found, d...)
			break
		}
	}
	return append(found, f.mismatch()...)
}

func (f *file) nameTrick(name string) []mail.Finding {
	_, bad := dangerous[extension(name)]
	switch {
	case strings.ContainsFunc(name, override):
		return f.finding("name.reversed", mail.Malware, 80, "%s has a name with characters that turn the direction of writing, so that its end (.%s) is shown as something else.", extension(name))
	case strings.ContainsFunc(name, bidi) && bad, strings.ContainsFunc(name, zeroWidth) && bad:
		return f.finding("name.invisible", mail.Malware, 50, "%s has invisible characters in its name and is of a dangerous type (.%s).", extension(name))
	case strings.Contains(name, strings.Repeat(" ", 10)):
		return f.finding("name.blanks", mail.Malware, 60, "%s has a long row of blanks in its name, which pushes its true end (.%s) out of sight.", extension(name))
	case bad && documents[innerExtension(name)]:
		return f.finding("name.double", mail.Malware, 40, "%s has two extensions: it looks like a harmless .%s, but is a .%s.", innerExtension(name), extension(name))
	}
	return nil
}

// override reports whether r can reverse what follows it; the plain marks
// U+200E and U+200F occur in honest Arabic and Hebrew names.
func override(r rune) bool { return r == 0x202e || r == 0x202d || r == 0x2067 }

// innerExtension is the extension before the last one.
func innerExtension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return ""
	}
	return extension(name[:i])
}

// mismatch judges content that is not what the name promises.
func (f *file) mismatch() []mail.Finding {
	if len(f.exts) == 0 {
		return nil
	}
	e := f.exts[0]
	switch f.really {
	case markup:
		if named(f.exts, "pdf", "doc", "docx", "xlsx", "jpg", "png", "zip", "pptx") {
			return f.finding("content.html", mail.Phish, 50, "%s is a web page, though its name ends in .%s.", e)
		}
	case ole, zipped, richText:
		if named(f.exts, "pdf", "jpg", "jpeg", "png", "gif", "txt", "csv") {
			return f.finding("content.other", mail.Suspicious, 50, "%s is a document or an archive, though its name ends in .%s.", e)
		}
	}
	return nil
}

// scripted are marks of code in a web page, in lower case.
var scripted = []string{"<script", "javascript:", "onload=", "onerror=", "onclick="}

// obfuscated are calls with which a page hides what it does, in lower case.
var obfuscated = []string{"atob(", "unescape(", "eval(", "fromcharcode", "document.write(", "createobjecturl", "mssaveoropenblob", "new function(", "decodeuricomponent(", "location.replace(", "location.href", "window.location"}

// maxPage is how much of a web page is searched.
const maxPage = 512 << 10

// active judges web pages and drawings that come as files: opened from disk they
// run in the browser, out of sight of any filter.
func (f *file) active() []mail.Finding {
	drawing := named(f.exts, "svg", "svgz") || f.Type == "image/svg+xml"
	page := f.really == markup || named(f.exts, "html", "htm", "xhtml", "shtml", "shtm", "xht")
	if f.letters || !page && !drawing || f.within > 0 && !f.few {
		return nil
	}
	if f.Disposition != "attachment" && f.Name == "" {
		return nil
	}
	low := bytes.ToLower(f.Data[:min(len(f.Data), maxPage)])
	if !containsAny(low, scripted) {
		return nil
	}
	hidden := 0
	for _, o := range obfuscated {
		if bytes.Contains(low, []byte(o)) {
			hidden++
		}
	}
	switch {
	case drawing:
		return f.finding("active.drawing", mail.Phish, 60, "%s is a drawing (SVG) with program code in it, which runs when it is opened.")
	case hidden >= 2:
		return f.finding("active.hidden", mail.Phish, 60, "%s is a web page whose program code hides what it does; opened from disk it runs out of sight of any filter.")
	case hidden == 1:
		return f.finding("active.page", mail.Phish, 40, "%s is a web page with program code that leads elsewhere or unpacks something.")
	}
	return f.finding("active.script", mail.Phish, 20, "%s is a web page with program code in it.")
}

func containsAny(low []byte, words []string) bool {
	for _, w := range words {
		if bytes.Contains(low, []byte(w)) {
			return true
		}
	}
	return false
}

var _ scan.Scanner = (*Scanner)(nil)
