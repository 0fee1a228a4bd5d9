package attachment

import (
	"slices"
	"strings"
	"testing"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

const pe = "MZ\x90\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00PE\x00\x00"

func attached(name, data string) mail.Part {
	return mail.Part{Path: "2", Type: "application/octet-stream", Name: name, Disposition: "attachment", Data: []byte(data), Size: int64(len(data))}
}

func member(path, data string) mail.Part {
	p := attached(path[strings.LastIndexByte(path, '/')+1:], data)
	p.Path = path
	return p
}

func with(p mail.Part, edit func(*mail.Part)) mail.Part { edit(&p); return p }

// The rules that must be found, and no other; the sum decides like policy with
// its defaults.
func TestScan(t *testing.T) {
	locked := func(p *mail.Part) { p.Encrypted, p.Container = true, "zip" }
	for _, tt := range []struct {
		name  string
		text  string
		parts []mail.Part
		want  string
		held  bool
	}{
		{name: "a letter", parts: []mail.Part{{Path: "1", Type: "text/plain", Data: []byte("hello")}}},
		{name: "a PDF", parts: []mail.Part{attached("report.pdf", "%PDF-1.7\n")}},
		{name: "a patch", parts: []mail.Part{attached("0001-fix.patch", "From 1234\n#!/bin/sh\n")}},
		{name: "a shell script", parts: []mail.Part{attached("run.sh", "#!/bin/sh\n")}},
		{name: "a program", parts: []mail.Part{attached("setup.exe", pe)}, want: "type.program content.program", held: true},
		{name: "a program by name only", parts: []mail.Part{attached("setup.EXE. ", "")}, want: "type.program", held: true},
		{name: "a program under another name", parts: []mail.Part{attached("photo.jpg", pe)}, want: "content.program", held: true},
		{name: "a program without a name", parts: []mail.Part{with(attached("", pe), func(p *mail.Part) { p.Disposition = "" })}, want: "content.program", held: true},
		{name: "another name some client shows", parts: []mail.Part{with(attached("a.txt", "x"), func(p *mail.Part) { p.Names = []string{"a.vbs"} })}, want: "type.script", held: true},
		{name: "a double extension", parts: []mail.Part{attached("invoice.pdf.js", "WScript")}, want: "type.script name.double", held: true},
		{name: "a reversed name", parts: []mail.Part{attached("ann\u202efdp.exe", pe)}, want: "type.program content.program name.reversed", held: true},
		{name: "an invisible letter", parts: []mail.Part{attached("a.e\u200bxe", "")}, want: "type.program name.invisible", held: true},
		{name: "a Hebrew name", parts: []mail.Part{attached("\u200fשלום.pdf", "%PDF-1.7")}},
		{name: "blanks before the end", parts: []mail.Part{attached("invoice.pdf"+strings.Repeat(" ", 40)+".lnk", "")}, want: "type.shortcut name.blanks", held: true},
		{name: "a script alone in an archive", parts: []mail.Part{attached("a.zip", "PK\x03\x04"), member("2/a.zip/invoice.js", "x")}, want: "type.script", held: true},
		{name: "a script among sources", parts: []mail.Part{
			attached("src.zip", "PK\x03\x04"), member("2/src.zip/a.js", "x"), member("2/src.zip/b.css", "x"), member("2/src.zip/c.html", "x"), member("2/src.zip/d.txt", "x"),
		}, want: "type.script"},
		{name: "a program among sources", parts: []mail.Part{
			member("2/src.zip/a.exe", pe), member("2/src.zip/b.css", "x"), member("2/src.zip/c.html", "x"), member("2/src.zip/d.txt", "x"),
		}, want: "type.program content.program", held: true},
		{name: "a disk image", parts: []mail.Part{attached("doc.bin", strings.Repeat("\x00", 0x8001)+"CD001")}, want: "content.disk", held: true},
		{name: "a locked archive", parts: []mail.Part{with(attached("a.zip", "PK\x03\x04"), locked)}, want: "encrypted", held: true},
		{name: "a locked archive and its password", text: "The Password is 1234", parts: []mail.Part{with(attached("a.zip", "PK\x03\x04"), locked)}, want: "encrypted.password", held: true},
		{name: "S/MIME is no locked archive", parts: []mail.Part{with(attached("smime.p7m", "x"), func(p *mail.Part) { p.Encrypted, p.Type = true, "application/pkcs7-mime" })}},
		{name: "a cabinet", parts: []mail.Part{attached("a.dat", "MSCF\x00\x00\x00\x00")}, want: "archive.unsupported", held: true},
		{name: "a page called PDF", parts: []mail.Part{attached("a.pdf", "<!DOCTYPE html><p>x")}, want: "content.html", held: true},
		{name: "an archive called picture", parts: []mail.Part{attached("a.jpg", "PK\x03\x04")}, want: "content.other", held: true},
		{name: "a smuggling page", parts: []mail.Part{attached("a.html", "<html><script>x=atob('x');URL.createObjectURL(x)</script>")}, want: "active.hidden", held: true},
		{name: "a page with a script", parts: []mail.Part{attached("a.html", "<html><script>x</script>")}, want: "active.script"},
		{name: "a page without", parts: []mail.Part{attached("a.html", "<html><p>hello")}},
		{name: "a drawing with a script", parts: []mail.Part{attached("a.svg", "<svg><script>x</script>")}, want: "active.drawing", held: true},
		{name: "a file named after a site", parts: []mail.Part{attached("www.example.com", "hello")}},
		{name: "a DOS program", parts: []mail.Part{attached("run.com", "\xe9\x00\x01")}, want: "type.program", held: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := new(Scanner).Scan(t.Context(), &mail.Message{Text: tt.text, Parts: tt.parts}, scan.About{})
			if err != nil {
				t.Fatal(err)
			}
			var rules []string
			points := map[mail.Verdict]int{}
			for _, f := range found {
				rules = append(rules, strings.TrimPrefix(f.Rule, "attachment."))
				points[f.Class] += f.Score
			}
			want := strings.Fields(tt.want)
			if !slices.Equal(rules, want) && !(len(rules) == 0 && len(want) == 0) {
				t.Errorf("got %q, want %q", rules, want)
			}
			held := false
			for _, n := range points {
				held = held || n >= 50
			}
			if held != tt.held {
				t.Errorf("held: %v with %v", held, points)
			}
		})
	}
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte(pe))
	f.Add([]byte("\x60\xea\x01"))
	f.Fuzz(func(t *testing.T, d []byte) { sniff(&mail.Part{Data: d}) })
}

func BenchmarkScan(b *testing.B) {
	parts := []mail.Part{{Path: "1", Type: "text/plain", Data: []byte(strings.Repeat("hello ", 1000))}, attached("report.pdf", "%PDF-1.7\n"), attached("a.html", strings.Repeat("<p>hello", 1000))}
	for b.Loop() {
		new(Scanner).Scan(b.Context(), &mail.Message{Parts: parts}, scan.About{})
	}
}
