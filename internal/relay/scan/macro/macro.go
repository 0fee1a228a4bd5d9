// Package macro finds program code and remote content in documents: VBA and XLM
// macros, DDE fields, embedded objects, templates that are fetched from
// elsewhere. It reads the Office formats itself and runs nothing.
//
// Archives and OOXML documents are unpacked by parse; their members come as
// parts of their own, so a rule here looks at one part at a time.
package macro

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// Scanner looks at every part. The zero value works.
type Scanner struct{}

// Name is part of scan.Scanner.
func (*Scanner) Name() string { return "macro" }

// Scan is part of scan.Scanner.
func (*Scanner) Scan(ctx context.Context, msg *mail.Message, _ scan.About) ([]mail.Finding, error) {
	var found []mail.Finding
	for i := range msg.Parts {
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		found = append(found, look(&msg.Parts[i])...)
	}
	return found, nil
}

// look tells the format by content, or by the place in an OOXML document.
func look(p *mail.Part) []mail.Finding {
	d := p.Data
	inner := p.Path[strings.LastIndexByte(p.Path, '/')+1:]
	switch {
	case bytes.HasPrefix(d, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return compound(p)
	case isRTF(d):
		return richText(p)
	case strings.HasSuffix(inner, ".rels"):
		return relations(p)
	case strings.Contains(p.Path, "/xl/macrosheets/") && strings.HasSuffix(inner, ".xml"):
		return sheet(p, bytes.Contains(bytes.ToLower(d), []byte("auto_open")))
	case strings.HasSuffix(inner, ".xml") && strings.Contains(p.Path, "/"):
		return fields(p)
	case bytes.HasPrefix(d, []byte("<?xml")) || bytes.HasPrefix(d, []byte("\xef\xbb\xbf<?xml")):
		return flatXML(p)
	case strings.EqualFold(path.Ext(p.Name), ".csv") || strings.EqualFold(path.Ext(p.Name), ".slk"):
		return formulas(p)
	}
	return nil
}

// title is how a finding calls the document that p belongs to.
func title(p *mail.Part) string {
	name := p.Name
	if segs := strings.Split(p.Path, "/"); len(segs) > 1 {
		name = segs[1]
		for _, s := range segs[1:] {
			if isDocument(s) {
				name = s
			}
		}
	}
	if name == "" {
		name = p.Path
	}
	return fmt.Sprintf("The document %s", scan.Quote(name))
}

func isDocument(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".docx", ".docm", ".dotm", ".dotx", ".xlsx", ".xlsm", ".xlsb", ".xltm", ".xlam", ".pptx", ".pptm", ".ppsm", ".ppsx", ".potm", ".doc", ".xls", ".ppt", ".msg", ".rtf":
		return true
	}
	return false
}

// finding is one about the document; format's first value is its title.
func finding(p *mail.Part, rule string, class mail.Verdict, score int, format string, a ...any) mail.Finding {
	return mail.Finding{Rule: "macro." + rule, Class: class, Score: score, Where: p.Path, Detail: fmt.Sprintf(format, append([]any{title(p)}, a...)...)}
}

// starters are procedures that Office runs by itself, in lower case (MS-OFFMACRO
// and the application's documentation).
var starters = []string{
	"autoopen", "auto_open", "autoexec", "auto_exec", "autoclose", "auto_close", "autonew", "autoexit", "document_open", "documentopen", "document_close", "document_new",
	"document_beforeclose", "workbook_open", "workbook_activate", "workbook_close", "workbook_beforeclose", "presentation_open", "slideshowbegin", "onslideshowpagechange", "_layout(", "_painted(", "_painting(", "_gotfocus(", "_mousehover(", "_mousemove(", "inkedit", "frame1_layout",
}

// calls are what malicious macros do and honest ones seldom, in lower case.
var calls = []struct{ call, does string }{
	{"shell", "starts programs"},
	{"wscript.", "starts programs"},
	{"powershell", "starts PowerShell"},
	{"cmd.exe", "starts a command line"},
	{"cmd /c", "starts a command line"},
	{"mshta", "starts a script"},
	{"rundll32", "loads a library"},
	{"regsvr32", "loads a library"},
	{"certutil", "unpacks files with certutil"},
	{"bitsadmin", "downloads files"},
	{"urldownloadtofile", "downloads files"},
	{"xmlhttp", "downloads files"},
	{"winhttprequest", "downloads files"},
	{"internetopen", "downloads files"},
	{"adodb.stream", "writes files"},
	{"scripting.filesystemobject", "writes files"},
	{"for binary", "writes files"},
	{"for output", "writes files"},
	{"savetofile", "writes files"},
	{"virtualalloc", "runs machine code"},
	{"rtlmovememory", "runs machine code"},
	{"createthread", "runs machine code"},
	{"createremotethread", "runs machine code"},
	{"winmgmts", "starts programs through WMI"},
	{"win32_process", "starts programs through WMI"},
	{"schtasks", "makes scheduled tasks"},
	{"createobject", "uses other programs"},
	{"getobject", "uses other programs"},
	{"callbyname", "hides its calls"},
	{"strreverse", "hides its texts"},
	{"environ", "looks at the system"},
	{"regwrite", "changes the registry"},
	{"vbproject", "changes other macros"},
	{"exec(", "starts programs"},
	{"=exec", "starts programs"},
	{"executeexcel4macro", "runs old macros"},
	{"msgbox", ""},
}

// vba judges source text of all modules together.
func vba(p *mail.Part, source string) mail.Finding {
	low := strings.ToLower(source)
	auto := ""
	for _, s := range starters {
		if strings.Contains(low, s) {
			auto = strings.TrimRight(strings.TrimLeft(s, "_"), "(")
			break
		}
	}
	var does []string
	weak := 0
	for _, c := range calls {
		if c.does == "" || !strings.Contains(low, c.call) {
			continue
		}
		if weakCall(c.call) {
			weak++
		}
		if !slices.Contains(does, c.does) {
			does = append(does, c.does)
		}
	}
	strong := len(does) > weak || weak >= 3
	switch {
	case auto != "" && strong:
		return finding(p, "vba.malicious", mail.Malware, 80, "%s contains a macro that runs by itself (%s) and %s.", auto, list(does))
	case strong:
		return finding(p, "vba.suspicious", mail.Malware, 50, "%s contains a macro that %s.", list(does))
	case auto != "":
		return finding(p, "vba.auto", mail.Suspicious, 50, "%s contains a macro that runs by itself when the document is opened (%s).", auto)
	}
	return finding(p, "vba", mail.Suspicious, 30, "%s contains a macro.")
}

// weakCall are calls that honest macros make too; one alone says little.
func weakCall(c string) bool {
	switch c {
	case "createobject", "getobject", "environ", "strreverse", "callbyname", "scripting.filesystemobject", "for output", "vbproject":
		return true
	}
	return false
}

func list(does []string) string {
	does = does[:min(len(does), 4)]
	if len(does) < 2 {
		return strings.Join(does, "")
	}
	return strings.Join(does[:len(does)-1], ", ") + " and " + does[len(does)-1]
}

// sheet is the finding of an Excel 4.0 macro sheet.
func sheet(p *mail.Part, auto bool) []mail.Finding {
	if auto {
		return []mail.Finding{finding(p, "xlm.auto", mail.Malware, 80, "%s contains an Excel 4.0 macro sheet that runs by itself, a technique only malware still uses.")}
	}
	return []mail.Finding{finding(p, "xlm", mail.Malware, 60, "%s contains an Excel 4.0 macro sheet, a technique that hardly anybody but malware still uses.")}
}
