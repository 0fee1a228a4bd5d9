package parse

import (
	"fmt"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/charset"
)

// names are the file names that some reader shows; the first is the one that most
// show (RFC 2183 §2.3 over the older parameter of Content-Type).
func (h *head) names() (name string, others []string) {
	all := append(h.dispose.all("filename"), h.typ.all("name")...)
	all = append(all, h.dispose.all("name")...)
	for _, n := range all {
		n = cleanName(n)
		switch {
		case n == "" || n == name:
		case name == "":
			name = n
		default:
			others = appendNew(others, n)
		}
	}
	return name, others
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

const maxName = 1024 // octets of a file name; file systems end at 255

// cleanName is a file name without folds and controls, in valid UTF-8.
func cleanName(n string) string {
	n = strings.Map(noControl, charset.Header(n))
	return strings.TrimSpace(n[:min(len(n), maxName)])
}

// compareNames notes when readers show names of different kinds.
func (p *parser) compareNames(part mail.Part) {
	for _, n := range part.Names {
		a, b := extension(part.Name), extension(n)
		if a != b && a != "" && b != "" && runs[a] != runs[b] {
			p.report("mime.filename_ambiguous", holdScore, part.Path, fmt.Sprintf("A file is called %q by some mail programs and %q by others.", part.Name, n))
		} else if a != b {
			p.report("mime.filename_differs", 5, part.Path, fmt.Sprintf("A file is called %q by some mail programs and %q by others.", part.Name, n))
		}
	}
}

func extension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 12 {
		return ""
	}
	return strings.ToLower(strings.TrimRight(name[i+1:], ". "))
}

// runs are the extensions that Windows executes or mounts at a click.
var runs = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range strings.Fields("exe com scr pif bat cmd vbs vbe js jse wsf wsh hta msi msp cpl dll jar lnk ps1 psm1 reg scf url iso img vhd vhdx chm inf appx msix xll application gadget docm xlsm pptm one library-ms settingcontent-ms") {
		m[e] = true
	}
	return m
}()

// harmless are the extensions of text that no program runs.
var harmless = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range strings.Fields("txt asc sig log patch diff csv ics vcf eml md c h pem p7s") {
		m[e] = true
	}
	return m
}()
